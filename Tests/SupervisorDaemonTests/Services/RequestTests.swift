// Who asks gets an answer, whatever the state.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A request")
struct RequestTests {
  /// A stray that does not die.
  private func unkillable() -> Transcript {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.stopRequested, .mainExited(generation: 1, .exited(0)), .scanned(generation: 1, [Stray(8)]))
    _ = app.tell(.timerFired, after: .milliseconds(500))
    app.follow(.scanned(generation: 1, [Stray(8)]))
    _ = app.tell(.timerFired, after: .seconds(5))
    return app
  }

  @Test(
    "to a service that can't be killed is told so at once",
    arguments: [ServiceEvent.startRequested, .restartRequested, .stopRequested, .requirementFailed("db")])
  func blocked(request: ServiceEvent) {
    var app = unkillable()
    #expect(app.state == "blocked")
    #expect(app.tell(request).settlements.count == 1)
  }

  @Test("that comes while a crash is swept forgives what failed before", arguments: [true, false])
  func forgiven(isRestart: Bool) {
    var app = Transcript { $0.startLimit.burst = 2 }
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)), .treeEmptied(generation: 1), .clear)
    app.follow(.executed(generation: 2, pid: 8), .mainExited(generation: 2, .exited(1)))
    app.follow(isRestart ? .restartRequested : .startRequested)
    #expect(app.tell(.treeEmptied(generation: 2)) == [.disarm, .verify])
    app.follow(.clear, .executed(generation: 3, pid: 9), .mainExited(generation: 3, .exited(1)))
    #expect(app.tell(.treeEmptied(generation: 3)) == [.disarm, .verify])
  }

  @Test("to start what runs is answered when its requirement failed")
  func runningWithoutRequirement() {
    var app = Transcript()
    app.run(pid: 7)
    #expect(app.tell(.requirementFailed("db")).settlements.count == 1)
    #expect(app.state == "running")
  }

  @Test("to stop one that backs off, failed, or is blocked by a stranger rests at once")
  func restsAtOnce() {
    var app = Transcript()
    app.follow(.startRequested, .taken("port is taken"))
    #expect(app.tell(.stopRequested) == [.disarm, .forgetOccupants, .settle(.stopped(nil))])
    #expect(app.tell(.stopRequested) == [.settle(.stopped(nil))])
  }

  @Test("to start begins a report of its own after a requirement failed")
  func newReport() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)), .treeEmptied(generation: 1), .clear)
    app.follow(.executed(generation: 2, pid: 8), .mainExited(generation: 2, .exited(1)))
    app.follow(.treeEmptied(generation: 2), .requirementFailed("db"))
    _ = app.tell(.startRequested, after: .seconds(100))
    app.follow(.clear, .executed(generation: 3, pid: 9))
    #expect(app.machine.report?.milliseconds == 0)
    #expect(app.machine.report?.stopped == nil)
  }

  @Test("to stop during a stop of a restart is the one that counts")
  func lastOneCounts() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.restartRequested, .stopRequested, .mainExited(generation: 1, .exited(0)))
    app.follow(.treeEmptied(generation: 1), .clear)
    #expect(app.state == "stopped")
  }
}
