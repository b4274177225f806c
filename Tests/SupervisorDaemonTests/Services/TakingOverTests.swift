// What becomes of a generation that a daemon left behind: pure decisions, and the machine that goes on with it.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A generation that a dead daemon left")
struct TakingOverTests {
  private func left(_ change: (inout LeftGeneration) -> Void = { _ in }) -> LeftGeneration {
    var left = LeftGeneration(service: "app", generation: 3, intent: .held)
    left.pid = 7
    left.fingerprint = 1
    change(&left)
    return left
  }

  @Test(
    "goes on when it is what the configuration says, is relaunched when not, and ends when nobody wants it")
  func fates() {
    #expect(left().fate(wanted: 1) == .goesOn)
    #expect(left().fate(wanted: 2) == .isRelaunched)
    #expect(left().fate(wanted: nil) == .isEnded)
    #expect(left { $0.exit = .exited(1) }.fate(wanted: 2) == .goesOn)
    #expect(left { $0.intent = .ending }.fate(wanted: 1) == .isEnded)
    #expect(left { $0.pid = nil }.fate(wanted: 1) == .isEnded)
  }

  @Test("and that was ready runs, with its number and its pid; nothing is launched")
  func running() {
    var app = Transcript { $0.readiness = .notify }
    #expect(app.tell(.adopted(left { $0.readiness = .ready }, age: .seconds(60))) == [])
    #expect(app.state == "running" && app.machine.state.pid == 7 && app.machine.generation == 3)
    #expect(app.tell(.startRequested).settlements.count == 1)
    #expect(app.tell(.stopRequested).first == .signalMain(15))
  }

  @Test("and that was not ready yet gets start_timeout anew")
  func starting() {
    var app = Transcript { $0.readiness = .notify }
    #expect(app.tell(.adopted(left(), age: .seconds(60))) == [.arm(app.now + .seconds(30))])
    #expect(app.state == "starting")
    #expect(app.tell(.notified(generation: 3)).settlements.count == 1)
    #expect(app.state == "running")
  }

  @Test("and is ready by listening is looked at once")
  func listening() {
    var app = Transcript { $0.readiness = .listen }
    #expect(app.tell(.adopted(left(), age: .zero)) == [.arm(app.now)])
    #expect(app.tell(.timerFired) == [.probePorts])
  }

  @Test("whose main process ended meanwhile is swept and launched again, as the next one")
  func ended() {
    var app = Transcript()
    app.follow(.adopted(left { $0.exit = .exited(4) }, age: .seconds(60)))
    #expect(app.tell(.mainExited(generation: 3, .exited(4))) == [.scan])
    #expect(app.machine.lastExit?.status == 4)
    #expect(app.tell(.treeEmptied(generation: 3)) == [.disarm, .verify])
    #expect(app.tell(.clear).first == .launch(generation: 4))
  }

  @Test("and has to end is waited for: nothing is launched before it is gone")
  func leftBehind() {
    var app = Transcript()
    #expect(app.tell(.leftBehind(left { $0.intent = .ending })) == [.scan])
    #expect(app.tell(.startRequested) == [])
    #expect(app.tell(.scanned(generation: 3, [Stray(7)])).first == .terminateStrays([Stray(7)]))
    #expect(app.tell(.mainExited(generation: 3, .signalled(15, coreDumped: false))) == [.scan])
    #expect(app.machine.lastExit?.signal == "SIGTERM")
    #expect(app.tell(.treeEmptied(generation: 3)) == [.disarm, .verify])
    #expect(app.tell(.clear).first == .launch(generation: 4))
  }

  @Test("of a service that nobody starts is only ended")
  func leftBehindAtRest() {
    var app = Transcript()
    app.follow(.leftBehind(left { $0.intent = .ending }), .treeEmptied(generation: 3), .clear)
    #expect(app.state == "stopped")
  }

  @Test("counts before everything else only")
  func late() {
    var app = Transcript()
    app.run(pid: 9)
    #expect(app.tell(.adopted(left(), age: .zero)) == [])
    #expect(app.tell(.leftBehind(left())) == [])
    #expect(app.machine.state.pid == 9 && app.machine.generation == 1)
  }
}
