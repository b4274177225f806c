// The sweep: strays of every kind, keepers that are killed, what does not die.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A sweep")
struct SweepTests {
  /// A main process ended, and its strays were told to end.
  private func sweeping(_ strays: [Stray], _ change: (inout ServiceDefinition) -> Void = { _ in })
    -> Transcript
  {
    var app = Transcript(change)
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)), .scanned(generation: 1, strays))
    return app
  }

  @Test("terminates only those who are new to it")
  func newcomers() {
    var app = sweeping([Stray(8)])
    #expect(app.tell(.scanned(generation: 1, [Stray(8), Stray(9)])) == [.terminateStrays([Stray(9)])])
  }

  @Test("looks again when the last one it knows of ends")
  func lastOne() {
    var app = sweeping([Stray(8), Stray(9)])
    #expect(app.tell(.strayExited(generation: 1, pid: 8)) == [])
    #expect(app.tell(.strayExited(generation: 1, pid: 9)) == [.scan])
  }

  @Test("tells two processes with one number apart")
  func reusedNumber() {
    var app = sweeping([Stray(8, born: 1)])
    app.follow(.strayExited(generation: 1, pid: 8))
    let effects = app.tell(.scanned(generation: 1, [Stray(8, born: 2)]))
    #expect(effects == [.terminateStrays([Stray(8, born: 2)])])
    app.follow(.treeEmptied(generation: 1), .clear, .executed(generation: 2, pid: 9))
    #expect(app.machine.report?.strays.count == 2)
  }

  @Test("reports when each was seen to be gone, whether or not somebody told")
  func unwatched() {
    var app = sweeping([Stray(8), Stray(9)])
    _ = app.tell(.strayExited(generation: 1, pid: 8), after: .milliseconds(10))
    _ = app.tell(.scanned(generation: 1, [Stray(10)]), after: .milliseconds(10))
    _ = app.tell(.treeEmptied(generation: 1), after: .milliseconds(10))
    app.follow(.clear, .executed(generation: 2, pid: 9))
    #expect(app.machine.report?.strays.map(\.milliseconds) == [10, 20, 10])
  }

  @Test("blocks after five seconds of SIGKILL, even while a breeder goes on")
  func breeder() {
    var app = sweeping([Stray(8)])
    #expect(app.tell(.timerFired, after: .milliseconds(500)) == [.killStrays])
    for round in 1...49 {
      let stray = Stray(8 + Int32(round))
      let killed = app.tell(.scanned(generation: 1, [stray]), after: .milliseconds(100))
      #expect(killed.count == 1)
      app.follow(.strayExited(generation: 1, pid: stray.identity.pid))
    }
    let effects = app.tell(.scanned(generation: 1, [Stray(90)]), after: .milliseconds(100))
    #expect(app.state == "blocked")
    #expect(effects.settlements.count == 1)
  }

  @Test("tells of the first few hundred strays, however many there were")
  func manyStrays() {
    var app = sweeping([])
    app.follow(.scanned(generation: 1, (0..<600).map { Stray(1000 + $0) }), .scanned(generation: 1, []))
    app.follow(.scanned(generation: 1, (0..<600).map { Stray(2000 + $0) }), .scanned(generation: 1, []))
    app.follow(.treeEmptied(generation: 1), .clear, .executed(generation: 2, pid: 9))
    #expect(app.machine.report?.strays.count == 256)
  }

  @Test("of a keeper that never ends blocks instead of looking for ever")
  func stoppedKeeper() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)), .scanned(generation: 1, []))
    #expect(app.tell(.timerFired, after: .seconds(1)) == [.scan])
    let effects = app.tell(.timerFired, after: .seconds(4))
    #expect(app.state == "blocked")
    #expect(effects.settlements.count == 1)
  }

  @Test("goes on, with all it knows, when the keeper is killed")
  func keeperLost() {
    var app = sweeping([Stray(8)])
    #expect(app.tell(.keeperLost(generation: 1)) == [])
    #expect(app.tell(.timerFired, after: .milliseconds(500)) == [.killStrays])
    app.follow(.treeEmptied(generation: 1), .clear, .executed(generation: 2, pid: 9))
    #expect(app.machine.report?.strays.map(\.pid) == [8])
  }

  @Test("after the keeper was killed knows the main process by its number")
  func orphanedMain() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.keeperLost(generation: 1), .scanned(generation: 1, [Stray(7)]))
    app.follow(.mainExited(generation: 1, .exited(3)))
    #expect(app.machine.lastExit?.pid == 7)
    #expect(app.machine.lastExit?.status == 3)
  }

  @Test("in a hurry goes on with SIGKILL at once")
  func hurriedStop() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.stopRequested)
    #expect(app.tell(.hurryRequested) == [.signalMain(9), .arm(app.now + .seconds(5))])
    #expect(app.tell(.mainExited(generation: 1, .signalled(9, coreDumped: false))) == [.killStrays])
  }

  @Test("reports a main process that took SIGKILL late as the one that was stopped")
  func lateMain() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.restartRequested)
    _ = app.tell(.timerFired, after: .seconds(10))
    _ = app.tell(.timerFired, after: .seconds(5))
    let ended = app.tell(
      .mainExited(generation: 1, .signalled(9, coreDumped: false)), after: .seconds(3))
    #expect(ended == [.scan])
    #expect(app.tell(.scanned(generation: 1, [])) == [.arm(app.now + .milliseconds(5))])
    app.follow(.treeEmptied(generation: 1), .clear, .executed(generation: 2, pid: 9))
    #expect(app.machine.report?.stopped?.signals == ["SIGTERM", "SIGKILL"])
    #expect(app.machine.report?.stopped?.milliseconds == 18_000)
    #expect(app.machine.report?.strays == [])
  }

  @Test("does not make the report of a crash loop grow")
  func crashLoop() {
    var app = Transcript { $0.readiness = .notify }
    app.follow(.startRequested)
    for generation in 1...5 {
      app.follow(
        .verified(Verification(.clear, repaired: ["listener web: O_NONBLOCK cleared"])),
        .executed(generation: generation, pid: 7), .mainExited(generation: generation, .exited(1)),
        .scanned(generation: generation, [Stray(8, born: UInt64(generation))]),
        .treeEmptied(generation: generation))
      _ = app.tell(.timerFired, after: .seconds(60))
    }
    app.follow(.clear, .executed(generation: 6, pid: 7), .notified(generation: 6))
    #expect(app.machine.report?.strays.count == 1)
    #expect(app.machine.report?.repaired.count == 1)
  }
}
