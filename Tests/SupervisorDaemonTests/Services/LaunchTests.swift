// A launch that hangs, comes to nothing, or loses its keeper.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A launch")
struct LaunchTests {
  @Test("that is not executed within start_timeout is given up")
  func hanging() {
    var app = Transcript()
    app.follow(.startRequested, .clear)
    #expect(app.tell(.timerFired, after: .seconds(30)) == [.killStrays])
    #expect(app.tell(.scanned(generation: 1, [])) == [.arm(app.now + .milliseconds(5))])
    #expect(app.tell(.executed(generation: 1, pid: 7)) == [])
    #expect(app.state == "sweeping")
    app.follow(.mainExited(generation: 1, .signalled(9, coreDumped: false)))
    #expect(app.machine.lastExit?.pid == 7)
    #expect(app.tell(.treeEmptied(generation: 1)) == [.disarm, .verify])
  }

  @Test("that is to stop and hangs is given up within stop_timeout, or at once in a hurry")
  func hangingStop() {
    var app = Transcript { $0.stopTimeout = .seconds(1) }
    app.follow(.startRequested, .clear)
    #expect(app.tell(.stopRequested) == [.arm(app.now + .seconds(1))])
    var hurried = app
    #expect(hurried.tell(.hurryRequested) == [.killStrays])
    #expect(app.tell(.timerFired, after: .seconds(1)) == [.killStrays])
    app.follow(.treeEmptied(generation: 1), .clear)
    #expect(app.state == "stopped")
  }

  @Test("that nobody asked to stop is not given up in a hurry")
  func hurryForOthers() {
    var app = Transcript()
    app.follow(.startRequested, .clear)
    #expect(app.tell(.hurryRequested) == [])
    #expect(app.state == "launching")
  }

  @Test("whose keeper is killed stays stopped when a stop was asked for")
  func keeperLostWhileStopping() {
    var app = Transcript()
    app.follow(.startRequested, .clear, .stopRequested)
    #expect(app.tell(.keeperLost(generation: 1)) == [.scan])
    app.follow(.scanned(generation: 1, []), .treeEmptied(generation: 1))
    #expect(!app.tell(.clear).settlements.isEmpty)
    #expect(app.state == "stopped")
  }

  @Test("of a service that binds is ready when it has bound, before or after its keeper says anything")
  func readyByBind() {
    var app = Transcript { $0.readiness = .bind }
    app.follow(.startRequested, .clear)
    var early = app
    #expect(early.tell(.bound(generation: 1)) == [])
    #expect(early.tell(.executed(generation: 1, pid: 7)).settlements.count == 1)
    #expect(app.tell(.executed(generation: 1, pid: 7)) == [.arm(app.now + .seconds(30))])
    #expect(app.tell(.notified(generation: 1)) == [])
    #expect(app.tell(.bound(generation: 1)).settlements.count == 1)
    #expect(app.state == "running")
    #expect(app.tell(.bound(generation: 1)) == [])
  }

  @Test("that is not ready in time fails, or counts as ready where that is wanted")
  func notReady() {
    for action in StartTimeoutAction.allCases {
      var app = Transcript {
        $0.readiness = .bind
        $0.startTimeoutAction = action
      }
      app.run(pid: 7)
      let settlements = app.tell(.timerFired, after: .seconds(30)).settlements
      switch action {
      case .fail: #expect(settlements.isEmpty && app.state == "stopping")
      case .proceed: #expect(settlements.count == 1 && app.state == "running")
      }
    }
  }

  @Test("of a service that says READY=1 before its keeper says anything is ready once it was executed")
  func readyBeforeExecuted() {
    var app = Transcript { $0.readiness = .notify }
    app.follow(.startRequested, .clear)
    #expect(app.tell(.notified(generation: 1)) == [])
    #expect(app.state == "launching")
    #expect(app.tell(.executed(generation: 1, pid: 7)).settlements.count == 1)
    #expect(app.state == "running")
  }

  @Test("of a program that is not there is tried again after its backoff, never in a busy loop")
  func noBusyLoop() {
    var app = Transcript {
      $0.backoff.initial = .zero
      $0.backoff.max = .zero
      $0.startLimit.burst = 1000
    }
    app.follow(.startRequested, .clear)
    let failure = LaunchFailure(message: "cannot execute", keeper: .none)
    #expect(app.tell(.launchFailed(generation: 1, failure)) == [.verify])
    app.follow(.clear)
    let effects = app.tell(.launchFailed(generation: 2, failure))
    #expect(effects.first == .arm(app.now + .milliseconds(1)))
  }

  @Test("timer that is early is armed again")
  func earlyTimers() {
    var app = Transcript { $0.readiness = .notify }
    app.follow(.startRequested, .clear)
    let launched = app.now
    #expect(app.tell(.timerFired, after: .seconds(1)) == [.arm(launched + .seconds(30))])
    app.follow(.executed(generation: 1, pid: 7))
    let executed = app.now
    #expect(app.tell(.timerFired, after: .seconds(1)) == [.arm(executed + .seconds(30))])
    #expect(app.state == "starting")
  }

  @Test("timer that is early does not shorten a backoff")
  func earlyBackoff() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)), .treeEmptied(generation: 1), .clear)
    app.follow(.executed(generation: 2, pid: 8), .mainExited(generation: 2, .exited(1)))
    app.follow(.treeEmptied(generation: 2))
    let until = app.now + .milliseconds(100)
    #expect(app.tell(.timerFired, after: .milliseconds(99)) == [.arm(until)])
    #expect(app.tell(.timerFired, after: .milliseconds(1)) == [.verify])
  }
}
