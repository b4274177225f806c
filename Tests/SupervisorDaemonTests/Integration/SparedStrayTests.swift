// Strays that live on by the configuration, with real processes: what becomes of their ports, and when they end.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A stray that lives on", .timeLimit(.minutes(5))) struct SparedStrayTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func guarded(_ stray: String, _ keys: String) throws -> String {
    """
    [service.app]
    command = \(try world.command("bind=\(address)", "stray=\(stray)", "serve"))
    ports = ["\(address)"]
    readiness = "listen"
    stray_timeout = "100ms"
    \(keys)
    """
  }

  private func owned(_ stray: String, _ keys: String) throws -> String {
    """
    [socket.web]
    listen = "\(address)"
    [service.app]
    command = \(try world.command("stray=\(stray)", "serve"))
    sockets = ["web"]
    stray_timeout = "100ms"
    \(keys)
    """
  }

  private func trees() throws -> [ServiceTree] {
    try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees
  }

  private func isAlive(_ role: String, _ index: Int = 0) throws -> Bool {
    let all = world.register.all(role)
    return ProcessTable.isAlive(try #require(all.count > index ? all[index] : nil).identity)
  }

  /// Once it answers its strays are as they are meant to be.
  @discardableResult private func restart() throws -> RelaunchReport {
    _ = try Client.ask(address)
    return try world.restart()
  }

  private func kill(_ pid: Int32) throws {
    let stat = try #require(ProcessTable.stat(of: pid))
    _ = try PidFD.open(stat.identity).send(SIGKILL)
  }

  @Test(
    "has its guarded port taken, again and again, and ends with the daemon", arguments: ["sleep", "serving"])
  func guardedPort(kind: String) throws {
    try world.start(try guarded(kind, "strays = \"release\""), running: ["app"])
    for generation in 2...4 {
      let report = try restart()
      let stray = try #require(report.strays.last)
      #expect(stray.fate == .released && stray.taken == [address] && stray.signals == [], "\(report)")
      #expect(stray.held.contains { $0.hasPrefix("\(address) as fd ") })
      let status = try world.status()
      #expect(status.generation == generation)
      for _ in 0..<5 { #expect(try Client.ask(address) == status.pid || kind == "serving") }
      #expect(status.retained?.map(\.generation) == Array(1..<generation))
    }
    for index in 0..<3 { #expect(try isAlive(kind, index)) }
    let trees = try trees()
    #expect(trees.map(\.generation) == [4, 1, 2, 3] && trees.map(\.retained) == [nil, true, true, true])
    #expect(trees[1].processes.count == 1 && trees[1].processes[0].holds == [])
    let text = try world.ctl("tree", "app").output
    #expect(
      text.contains("app: generation 1, keeper ") && text.contains("which is over: its strays live on"),
      "\(text)")

    #expect(try world.operate(.stop).ok)
    #expect(try isAlive(kind))
    #expect(try Client.isRefused(address))
    #expect(try world.operate(.start).ok)
    #expect(world.register.overlaps.count > 0)
  }

  @Test("that is let go of by its keeper's end is told no more")
  func ended() throws {
    try world.start(try guarded("sleep", "strays = \"release\""), running: ["app"])
    let report = try restart()
    try kill(try #require(report.strays.first).pid)
    try eventually("nobody is retained") { try world.status().retained == nil ? true : nil }
    #expect(try world.status().state == .running && trees().count == 1)
  }

  @Test("keeps a listener that it does not use, and clients meet the new generation only")
  func ownedSocket() throws {
    try world.start(try owned("sleep", "strays = \"release\""), running: ["app"])
    let report = try restart()
    #expect(report.strays.map(\.fate) == [.released] && report.strays[0].taken == [], "\(report)")
    let pid = try world.status().pid
    for _ in 0..<20 { #expect(try Client.ask(address) == pid) }
    #expect(try isAlive("sleep"))
  }

  @Test("does not when it accepts there", arguments: ["strays = \"release\"", "stray_allow = [\"mis*\"]"])
  func accepting(keys: String) throws {
    try world.start(try owned("serving", keys), running: ["app"])
    try world.register.arrival(of: "serving")
    try eventually("it accepts") {
      try trees()[0].processes.contains { $0.state == "S" && $0.depth == 1 } ? true : nil
    }
    let report = try restart()
    #expect(
      report.strays.map(\.fate) == [nil] && report.strays[0].remark.hasSuffix("accepts there"), "\(report)")
    #expect(try isAlive("serving") == false)
    #expect(world.register.overlaps == [])
  }

  @Test("goes when it begins to accept later")
  func acceptingLater() throws {
    try world.write("sleep 0.3\nLISTEN_PID=$$ exec \"$@\"\n", to: "late.sh")
    try world.write("sh \(world.path("late.sh")) \"$@\" &\nexec \"$@\"\n", to: "run.sh")
    let command = try world.command("serve").dropFirst()
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["sh", "\(world.path("run.sh"))", \(command)
      sockets = ["web"]
      strays = "release"
      """, running: ["app"])
    let report = try restart()
    #expect(report.strays.contains { $0.fate == .released }, "\(report)")
    try world.register.arrival(of: "main", count: 3)
    try eventually("the one that accepts is gone") {
      world.log.contains("which lived on, accepts at an owned socket: SIGKILL") ? true : nil
    }
    #expect(try world.status().state == .running)
  }

  @Test("keeps what it has where strays are only reported")
  func reported() throws {
    try world.start(try owned("serving", "strays = \"report\""), running: ["app"])
    let report = try restart()
    #expect(report.strays.map(\.fate) == [.reported], "\(report)")
    #expect(try isAlive("serving"))
    #expect(world.log.contains("it lives on, as strays = \"report\" has it"), "\(world.log)")
  }

  @Test("blocks the launch with a guarded port where strays are only reported, until it ends")
  func reportedPort() throws {
    try world.start(try guarded("sleep", "strays = \"report\""), running: ["app"])
    let stray = try world.register.arrival(of: "sleep")[0].identity.pid
    _ = try Client.ask(address)
    let outcome = try world.operate(.restart)
    #expect(!outcome.ok, "\(outcome)")
    let message = try #require(try world.status().message)
    #expect(
      message.contains("by pid \(stray) \"sleep 50\"") && message.contains("strays = \"report\" spares"),
      "\(message)")
    // A stop would not end it: that is what a person may ask for.
    let result = try world.ctl("free", "--yes", address)
    #expect(result.status == 0 && result.output.contains("ended pid \(stray) \""), "\(result)")
    try world.reach(generation: 2)
  }

  @Test("is the one whose name is allowed; the others go")
  func allowed() throws {
    let command = try world.command("bind=\(address)", "stray=sleep", "stray=session", "serve")
    try world.start(
      """
      [service.app]
      command = \(command)
      ports = ["\(address)"]
      readiness = "listen"
      stray_allow = ["sl[e]*"]
      """, running: ["app"])
    let report = try restart()
    #expect(Set(report.strays.map { $0.fate?.rawValue ?? "ended" }) == ["released", "ended"], "\(report)")
    #expect(try isAlive("sleep") && !isAlive("session"))
    #expect(try Client.ask(address) == world.status().pid)
  }

  @Test("is ended when the configuration does not have its service any more")
  func removed() throws {
    try world.start(try guarded("sleep", "strays = \"release\""), running: ["app"])
    try restart()
    try world.write("", to: "fdsupervisord.toml")
    let reply = try world.call(.reloadConfig, ReloadConfigParameters(), as: ReloadConfigReply.self)
    #expect(reply.ok, "\(reply)")
    try eventually("both strays are gone") { world.register.living.isEmpty ? true : nil }
  }

  @Test("lives on when the daemon is replaced, and its keeper is known to the new program")
  func replaced() throws {
    try world.start(try guarded("sleep", "strays = \"release\""), running: ["app"])
    let stray = try #require(try restart().strays.first)
    let before = try world.status()
    _ = try world.call(.reexec, NoParameters(), as: ReexecReply.self)
    let after = try world.status()
    #expect(after.retained == before.retained && after.retained?.count == 1)
    #expect(try isAlive("sleep"))
    try kill(stray.pid)
    try eventually("nobody is retained") { try world.status().retained == nil ? true : nil }
    #expect(try restart().generation == 3)
  }

  @Test("lives on over SIGKILL of the daemon where its service does")
  func survives() throws {
    let configuration = try guarded("sleep", "strays = \"release\"\nsurvive = true")
    try world.start(configuration, running: ["app"])
    let stray = try #require(try restart().strays.first)
    let pid = try world.status().pid
    world.end = .own
    let daemon = try #require(world.daemon)
    try daemon.send(SIGKILL)
    _ = try daemon.status()
    world.end = .clean
    try world.start(configuration)
    #expect(try world.status().pid == pid && isAlive("sleep"))
    #expect(try world.status().retained?.map(\.generation) == [1], "\(world.log)")
    #expect(try restart().generation == 3)
    try kill(stray.pid)
    try eventually("one is retained") { try world.status().retained?.map(\.generation) == [2] ? true : nil }
  }

  @Test("goes when somebody kills the keeper above it")
  func keeperKilled() throws {
    try world.start(try guarded("sleep", "strays = \"release\""), running: ["app"])
    try restart()
    try kill(try #require(try world.status().retained?.first).keeper)
    try eventually("it is gone") { try isAlive("sleep") ? nil : true }
    #expect(try world.status().state == .running && isAlive("sleep", 1))
    #expect(world.log.contains("they are killed, too"), "\(world.log)")
  }
}
