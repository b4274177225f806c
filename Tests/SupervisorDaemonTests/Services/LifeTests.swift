// The straight ways through a life: start, stop, restart, crash.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("The life of a service")
struct LifeTests {
  @Test("a start verifies, launches, and settles when the program is executed")
  func start() {
    var app = Transcript()
    #expect(app.tell(.startRequested) == [.disarm, .verify])
    #expect(app.tell(.clear) == [.launch(generation: 1), .arm(app.now + .seconds(30))])
    let effects = app.tell(.executed(generation: 1, pid: 7), after: .milliseconds(2))
    #expect(effects.first == .disarm)
    #expect(app.machine.report?.pid == 7)
    #expect(app.machine.report?.milliseconds == 2)
    #expect(app.state == "running")
  }

  @Test("a stop signals, waits, scans, verifies, and only then rests")
  func stop() {
    var app = Transcript()
    app.run(pid: 7)
    #expect(app.tell(.stopRequested) == [.signalMain(15), .arm(app.now + .seconds(10))])
    #expect(app.tell(.mainExited(generation: 1, .exited(0))) == [.scan])
    #expect(app.tell(.scanned(generation: 1, [])) == [.arm(app.now + .milliseconds(5))])
    #expect(app.tell(.treeEmptied(generation: 1)) == [.disarm, .verify])
    #expect(app.tell(.clear).first == .disarm)
    #expect(app.state == "stopped")
  }

  @Test("a stop that takes too long is escalated, and what survives that blocks")
  func escalation() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.stopRequested)
    #expect(
      app.tell(.timerFired, after: .seconds(10)) == [.signalMain(9), .arm(app.now + .milliseconds(500))])
    #expect(app.tell(.timerFired, after: .milliseconds(500)) == [.killStrays])
    #expect(app.tell(.scanned(generation: 1, [Stray(7)])) == [.arm(app.now + .milliseconds(500))])
    let effects = app.tell(.timerFired, after: .seconds(5))
    #expect(app.state == "blocked")
    #expect(effects.first == .arm(app.now + .seconds(2)))
    #expect(effects.settlements.count == 1)
  }

  @Test("a crash sweeps its strays before the next launch, which is immediate")
  func crash() {
    var app = Transcript()
    app.run(pid: 7)
    #expect(app.tell(.mainExited(generation: 1, .exited(1))) == [.scan])
    let effects = app.tell(.scanned(generation: 1, [Stray(8)]))
    #expect(effects == [.terminateStrays([Stray(8)]), .arm(app.now + .milliseconds(500))])
    #expect(app.tell(.timerFired, after: .milliseconds(500)) == [.killStrays])
    #expect(app.tell(.scanned(generation: 1, [Stray(8)])) == [.arm(app.now + .milliseconds(5))])
    #expect(app.tell(.treeEmptied(generation: 1)) == [.disarm, .verify])
    #expect(app.tell(.clear).first == .launch(generation: 2))
    app.follow(.executed(generation: 2, pid: 9))
    #expect(app.machine.report?.strays.map(\.signals) == [["SIGTERM", "SIGKILL"]])
    #expect(app.machine.report?.stopped?.outcome == "exit 1")
  }

  @Test("the second failure in a row waits for its backoff, and a start does not")
  func backoff() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)), .treeEmptied(generation: 1), .clear)
    app.follow(.executed(generation: 2, pid: 8), .mainExited(generation: 2, .exited(1)))
    let effects = app.tell(.treeEmptied(generation: 2))
    #expect(effects.prefix(2) == [.disarm, .arm(app.now + .milliseconds(100))])
    #expect(app.state == "backingOff")
    #expect(app.tell(.startRequested) == [.disarm, .verify])
  }

  @Test("too many launches end in failure, when that is asked for")
  func startLimit() {
    var app = Transcript {
      $0.startLimit.burst = 1
      $0.startLimit.action = .fail
    }
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)), .treeEmptied(generation: 1), .clear)
    #expect(app.state == "failed")
    #expect(app.machine.state.message?.contains("start limit") == true)
  }

  @Test("a taken port blocks, names who has it, and is launched when that is gone")
  func occupied() {
    var app = Transcript()
    app.follow(.startRequested)
    let occupant = Occupant(identity: ProcessIdentity(pid: 4, startTime: 1), description: "pid 4")
    #expect(app.tell(.taken("port is taken")) == [.nameOccupants, .arm(app.now + .milliseconds(20))])
    let named = app.tell(.occupantsNamed([occupant]))
    #expect(named.first == .watchOccupants([occupant]))
    #expect(named.settlements.count == 1)
    #expect(app.tell(.occupantExited) == [.verify])
    let effects = app.tell(.clear)
    #expect(effects.prefix(3) == [.disarm, .forgetOccupants, .launch(generation: 1)])
  }

  @Test("a taken port that nobody holds is looked at again soon, and called blocked only when that lasts")
  func nobodysPort() {
    var app = Transcript()
    app.follow(.startRequested)
    var effects = app.tell(.taken("port is taken"))
    for look in 0..<7 {
      #expect(app.tell(.occupantsNamed([])) == [])
      let wait = Duration.milliseconds(20 << look)
      #expect(effects.contains(.arm(app.now + wait)))
      #expect(app.tell(.timerFired, after: wait) == [.verify])
      effects = app.tell(.taken("port is taken"))
    }
    #expect(effects == [.nameOccupants, .arm(app.now + .seconds(2))])
    #expect(app.tell(.occupantsNamed([])).settlements.count == 1)
    #expect(app.tell(.clear).prefix(3) == [.disarm, .forgetOccupants, .launch(generation: 1)])
  }

  @Test("who takes a port after its first holder is named too")
  func nextOccupant() {
    var app = Transcript()
    let first = Occupant(identity: ProcessIdentity(pid: 4, startTime: 1), description: "pid 4")
    app.follow(.startRequested, .taken("port is taken"), .occupantsNamed([first]), .occupantExited)
    #expect(app.tell(.taken("port is taken")).contains(.nameOccupants))
    let second = Occupant(identity: ProcessIdentity(pid: 5, startTime: 2), description: "pid 5")
    #expect(app.tell(.occupantsNamed([second])).first == .watchOccupants([second]))
    #expect(app.machine.state.message?.contains("pid 5") == true)
  }

  @Test("readiness by listening looks again and again, and a last time at the very end")
  func listening() {
    var app = Transcript {
      $0.readiness = .listen
      $0.startTimeout = .milliseconds(1)
    }
    app.follow(.startRequested, .clear)
    #expect(app.tell(.executed(generation: 1, pid: 7)) == [.arm(app.now + .milliseconds(1))])
    #expect(app.tell(.timerFired, after: .milliseconds(1)) == [.probePorts])
    var late = app
    _ = app.tell(.probed(generation: 1, .all))
    #expect(app.state == "running")
    #expect(late.tell(.probed(generation: 1, .notYet)).first == .signalMain(15))
  }

  @Test("facts about a generation of the past change nothing")
  func stale() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)), .treeEmptied(generation: 1), .clear)
    app.follow(.executed(generation: 2, pid: 8))
    let before = app.machine.state
    for event: ServiceEvent in [
      .mainExited(generation: 1, .exited(1)), .treeEmptied(generation: 1), .keeperLost(generation: 1),
      .executed(generation: 1, pid: 7), .scanned(generation: 1, [Stray(8)]),
    ] {
      #expect(app.tell(event) == [])
      #expect(app.machine.state == before)
    }
  }

  @Test(
    "an exit that asks to be started again is no failure: the next launch is immediate, up to the start limit"
  )
  func wish() {
    var app = Transcript {
      $0.pass.relaunchStatus = 3
      $0.startLimit.burst = 3
    }
    app.run(pid: 7)
    for generation in 1...2 {
      app.follow(
        .mainExited(generation: generation, .exited(3)), .scanned(generation: generation, []),
        .treeEmptied(generation: generation))
      #expect(app.state == "verifying")
      app.follow(.clear, .executed(generation: generation + 1, pid: 8))
    }
    app.follow(
      .mainExited(generation: 3, .exited(3)), .scanned(generation: 3, []), .treeEmptied(generation: 3))
    #expect(app.state == "backingOff")
  }

  @Test("the same exit is one like any other where the service is not to be restarted")
  func wishWithoutRestart() {
    var app = Transcript {
      $0.pass.relaunchStatus = 3
      $0.restart = .never
    }
    app.run(pid: 7)
    app.follow(
      .mainExited(generation: 1, .exited(3)), .scanned(generation: 1, []), .treeEmptied(generation: 1), .clear
    )
    #expect(app.state == "failed")
  }
}
