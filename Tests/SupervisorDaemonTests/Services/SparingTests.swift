// Strays that live on: who may, what is taken from them, and what ends them all the same.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A stray that may live on")
struct SparingTests {
  /// A main process ended, and these were found.
  private func sweeping(_ strays: [Stray], _ change: (inout ServiceDefinition) -> Void) -> (
    Transcript, [ServiceEffect]
  ) {
    var app = Transcript(change)
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(1)))
    let effects = app.tell(.scanned(generation: 1, strays))
    return (app, effects)
  }

  private func parted(_ strays: Stray..., taken: [String] = []) -> ServiceEvent {
    .parted(generation: 1, strays.map { Parting($0.identity, .parted(taken)) })
  }

  @Test("is asked for its port, and then the next generation is launched beside it")
  func released() {
    var (app, effects) = sweeping([Stray(8)]) { $0.strays = .release }
    #expect(effects == [.takePorts([Stray(8)])])
    let end = app.tell(parted(Stray(8), taken: ["127.0.0.1:80"]))
    guard case .retain(generation: 1, let records) = end.dropFirst().first else {
      Issue.record("\(end)")
      return
    }
    #expect(records.map(\.pid) == [8] && records[0].fate == .released)
    #expect(records[0].taken == ["127.0.0.1:80"] && records[0].signals == [])
    #expect(end.first == .disarm && end.last == .verify)
    app.follow(.clear, .executed(generation: 2, pid: 9))
    #expect(app.state == "running" && app.machine.report?.strays == records)
  }

  @Test("goes when it accepts at an owned socket, and who does not stays")
  func accepting() {
    var server = Stray(9)
    server.use = .accepts
    var (app, effects) = sweeping([Stray(8), server]) { $0.strays = .release }
    #expect(
      effects == [
        .takePorts([Stray(8)]), .terminateStrays([server]), .arm(app.now + .milliseconds(500)),
      ])
    #expect(app.tell(parted(Stray(8))) == [])
    #expect(app.tell(.timerFired) == [.killStraysBut([Stray(8).identity])])
    #expect(app.tell(.strayExited(generation: 1, pid: 9)) == [.killStraysBut([Stray(8).identity])])
    #expect(app.tell(.scanned(generation: 1, [Stray(8)])).contains(.verify))
  }

  @Test("is looked at again while it runs, for it may be about to accept")
  func unclear() {
    var busy = Stray(8)
    busy.use = .unclear
    var (app, effects) = sweeping([busy]) { $0.strays = .release }
    #expect(effects == [.arm(app.now + .milliseconds(5))])
    #expect(app.tell(.timerFired, after: .milliseconds(5)) == [.scan])
    #expect(app.tell(.scanned(generation: 1, [busy])) == [.arm(app.now + .milliseconds(10))])
    busy.use = .accepts
    #expect(app.tell(.scanned(generation: 1, [busy])).first == .terminateStrays([busy]))

    busy.use = .unclear
    (app, _) = sweeping([busy]) { $0.strays = .release }
    #expect(app.tell(.scanned(generation: 1, [busy]), after: .milliseconds(100)) == [.takePorts([busy])])
  }

  @Test("goes when it can't be parted from its port")
  func inseparable() {
    var (app, _) = sweeping([Stray(8)]) { $0.strays = .release }
    let answer = ServiceEvent.parted(generation: 1, [Parting(Stray(8).identity, .inseparable("no"))])
    guard case .terminateStrays(let strays) = app.tell(answer).first else {
      Issue.record("it is spared")
      return
    }
    #expect(strays.map(\.remark) == ["no"])
    #expect(app.tell(.strayExited(generation: 1, pid: 8)) == [.scan])
    app.follow(.treeEmptied(generation: 1), .clear, .executed(generation: 2, pid: 9))
    #expect(app.machine.report?.strays.map(\.fate) == [nil])
  }

  @Test("is neither asked nor signalled where strays are only reported")
  func reported() {
    var server = Stray(8)
    server.use = .accepts
    let (app, effects) = sweeping([server]) { $0.strays = .report }
    #expect(effects.count == 3 && effects.last == .verify)
    #expect(app.state == "verifying")
  }

  @Test("has a name that is allowed, or is below one that has")
  func allowed() {
    var tmux = Stray(8)
    tmux.isAllowed = true
    var shell = Stray(9)
    shell.parent = 8
    var (app, effects) = sweeping([tmux, shell, Stray(10)]) { $0.strayAllow = ["tmux*"] }
    #expect(effects.prefix(2) == [.takePorts([tmux, shell]), .terminateStrays([Stray(10)])])
    #expect(app.tell(parted(tmux, shell)) == [])
    #expect(app.tell(.strayExited(generation: 1, pid: 10)) == [.scan])
    let end = app.tell(.scanned(generation: 1, [tmux, shell]))
    #expect(end.contains(.verify), "\(end)")
  }

  @Test("goes when somebody is in a hurry, or its keeper is killed")
  func noMercy() {
    for event in [ServiceEvent.hurryRequested, .keeperLost(generation: 1)] {
      var server = Stray(9)
      server.use = .accepts
      var (app, _) = sweeping([Stray(8), server]) { $0.strays = .release }
      app.follow(parted(Stray(8)))
      let effects = app.tell(event)
      #expect(effects == (event == .hurryRequested ? [.killStrays] : []))
      #expect(app.tell(.timerFired, after: .milliseconds(500)) == [.killStrays])
    }
  }

  @Test("is no main process, whose launch was given up or whose keeper was killed")
  func notMain() {
    var app = Transcript { $0.strays = .release }
    app.run(pid: 7)
    app.follow(.keeperLost(generation: 1))
    #expect(app.tell(.scanned(generation: 1, [Stray(7)])).first == .terminateStrays([Stray(7)]))
  }

  @Test("has its port asked for again by a daemon that took over in between")
  func resumed() throws {
    var (app, _) = sweeping([Stray(8)]) { $0.strays = .release }
    #expect(try app.resume() == [.scan])
    #expect(app.tell(.scanned(generation: 1, [Stray(8)])) == [.takePorts([Stray(8)])])
  }

  @Test("keeps its port, and is named as the one who blocks the launch")
  func blocking() {
    var (app, _) = sweeping([Stray(8)]) { $0.strays = .report }
    app.follow(.taken("127.0.0.1:80 is taken"))
    var occupant = Occupant(identity: Stray(8).identity, description: "pid 8 \"sleep\"")
    occupant.standing = .reported
    app.follow(.occupantsNamed([occupant]))
    #expect(
      app.machine.state.message
        == "127.0.0.1:80 is taken by pid 8 \"sleep\", a stray that strays = \"report\" "
        + "spares; it is launched when the port is free")
  }
}
