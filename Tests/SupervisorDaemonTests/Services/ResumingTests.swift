import Supervisor
import SupervisorDaemon
import Testing

@Suite("A machine that goes on in another process") struct ResumingTests {
  @Test("wants nothing at rest, and nothing while it runs")
  func nothing() throws {
    var app = Transcript()
    #expect(try app.resume() == [])
    app.run(pid: 7)
    let before = app.machine.snapshot
    #expect(try app.resume() == [])
    #expect(app.machine.snapshot == before && app.state == "running")
  }

  @Test("keeps the time that a stop has, and does not ask twice")
  func stopping() throws {
    var app = Transcript()
    app.run(pid: 7)
    _ = app.tell(.stopRequested)
    let end = app.now + .seconds(10)
    _ = app.tell(.occupantExited, after: .seconds(4))
    #expect(try app.resume() == [.arm(end)])
    #expect(app.tell(.timerFired, after: .seconds(6)).first == .signalMain(9))
    #expect(try app.resume() == [.arm(app.now + .milliseconds(500))])
  }

  @Test("waits out its backoff, with the failures it had")
  func backoff() throws {
    var app = Transcript { $0.backoff.initial = .seconds(3) }
    app.run(pid: 7)
    for generation in 1...2 {
      app.follow(.mainExited(generation: generation, .exited(1)), .treeEmptied(generation: generation))
      if generation == 1 { app.follow(.clear, .executed(generation: 2, pid: 8)) }
    }
    #expect(app.state == "backingOff")
    #expect(try app.resume() == [.arm(app.now + .seconds(3))])
    #expect(app.tell(.timerFired, after: .seconds(3)) == [.verify])
    #expect(app.tell(.clear).first == .launch(generation: 3))
    #expect(app.machine.lastExit?.status == 1)
  }

  @Test("watches the strays that had their signal, and looks for others")
  func sweeping() throws {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.mainExited(generation: 1, .exited(0)))
    #expect(try app.resume() == [.scan])
    app.follow(.scanned(generation: 1, [Stray(8)]))
    let end = app.now + .milliseconds(500)
    #expect(try app.resume() == [.arm(end), .watchStrays([Stray(8)]), .scan])
    app.follow(.timerFired)
    #expect(try app.resume() == [.killStrays])
  }

  @Test("looks who has its port, anew")
  func blocked() throws {
    var app = Transcript()
    app.follow(.startRequested, .taken("port is taken"))
    #expect(try app.resume() == [.verify])
    #expect(app.tell(.taken("port is taken")).first == .nameOccupants)
  }

  @Test("goes on waiting for those it starts after")
  func order() throws {
    var db = ServiceDefinition(name: "db", command: ["db"])
    db.readiness = .notify
    var web = ServiceDefinition(name: "web", command: ["web"])
    web.after = ["db"]
    let now = Instant(nanoseconds: 1_000_000_000)
    var graph = ServiceGraph(definitions: [db, web], seed: 1)
    _ = graph.start([0, 1], at: now)
    _ = graph.handle(.clear, for: 0, at: now)
    _ = graph.handle(.executed(generation: 1, pid: 7), for: 0, at: now)
    let bytes = try Wire.encode(graph.snapshot)
    let snapshot = try Wire.decode(ServiceGraph.Snapshot.self, from: bytes)
    // In another order, too: they are known by their names.
    var other = ServiceGraph(definitions: [web, db], restoring: snapshot, seed: 2)
    #expect(other.resumed(at: now).map(\.service) == [1])
    #expect(other.publicState(of: 0).message == "waits for db")
    let actions = other.handle(.notified(generation: 1), for: 1, at: now)
    #expect(actions.contains { $0.service == 0 && $0.effect == .verify })
  }
}
