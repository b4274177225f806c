import Glibc
import Supervisor
import Testing

@Suite("A relaunch", .timeLimit(.minutes(5))) struct RelaunchTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  /// A service that is ready once it has done all it was told, and serves then.
  private func configuration(_ words: String..., more: String = "") throws -> String {
    let fixture = try ChildProcess.built("misbehaving")
    let command = ([fixture, "register=\(world.register.path)"] + words + ["notify=READY=1", "serve"]).map {
      "\"\($0)\""
    }
    return """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = [\(command.joined(separator: ", "))]
      sockets = ["web"]
      readiness = "notify"
      stray_timeout = "100ms"
      \(more)
      """
  }

  @Test(
    "keeps the listener: connections made while the service was stopped are answered by the next generation")
  func queued() throws {
    try world.start(try configuration(), running: ["app"])
    let inode = try world.inode()
    #expect(try world.operate(.stop).ok)
    let waiting = try (0..<20).map { _ in try Client(address) }
    let queue = try world.call(.sockets, NoParameters(), as: SocketsReply.self).sockets[0]
    #expect(queue.queued == 20 && queue.inode == inode)

    let outcome = try world.operate(.start)
    #expect(outcome.ok && outcome.report?.queued == 20)
    let pid = try world.status().pid
    for client in waiting { #expect(try client.answer() == pid) }
    #expect(try world.inode() == inode)
  }

  @Test("refuses no connection and loses none under load, twenty times over")
  func load() throws {
    try world.start(try configuration(), running: ["app"])
    let load = try Load(on: address, folder: world.folder)
    for _ in 0..<20 { try world.restart() }
    let result = try load.end()
    #expect(result.failures == [], "\(world.log)")
    #expect(result.answers.count > 20)
    #expect(world.register.all("main").count == 21)
    #expect(world.register.overlaps == [])
  }

  @Test("is one relaunch, however many ask for it at the same moment")
  func concurrentRequests() throws {
    try world.start(try configuration(), running: ["app"])
    let tool = try ChildProcess.built("fdsupervisorctl")
    let requests = try (0..<8).map { _ in
      try Spawned(tool, ["--control", world.control, "restart", "app"], errors: .file(world.path("errors")))
    }
    for request in requests { #expect(try request.status() == 0, "\(world.text(of: "errors"))") }
    let status = try world.reach()
    #expect((2...9).contains(status.generation))
    #expect(world.register.all("main").count <= status.generation && world.register.overlaps == [])
  }

  @Test("is reported as text, as JSON and in the log alike")
  func report() throws {
    try world.start(try configuration("stray=orphan"), running: ["app"])
    let stray = try #require(world.register.all("orphan").first)
    let main = try #require(try world.status().pid)
    let text = try world.ctl("restart", "app")
    #expect(text.status == 0 && text.errors == "")
    let lines = text.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    let pid = try #require(try world.status().pid)
    #expect(lines[0].hasPrefix("app: generation 2 is ready, pid \(pid), "))
    #expect(lines.contains { $0.hasPrefix("stopped \(main) ") && $0.contains("SIGTERM, exit 0 after") })
    #expect(
      lines.contains {
        $0.hasPrefix("stray \(stray.identity.pid) ") && $0.contains("held \(address) as fd 3")
          && $0.contains("in a session of its own; SIGTERM, gone after")
      }, "\(text.output)")
    #expect(lines.contains("verified \(address) no descendant holds it"))

    let json = try world.ctl("restart", "app", "--json")
    let reply = try Wire.decode(OperationReply.self, from: Array(json.output.utf8))
    #expect(reply.outcomes.first?.report?.generation == 3)
    #expect(try world.status().report == reply.outcomes.first?.report)
    #expect(world.log.contains("app: generation 2 is ready, pid \(pid), "))
    #expect(world.log.contains("app: stray \(stray.identity.pid) "))
  }

  @Test(
    "mends what a service did to the listener that all generations share",
    arguments: ["shutdown", "shortqueue", "nonblock"])
  func repair(_ abuse: String) throws {
    let given = world.path("given")
    // One whose listen(2) is not intercepted: the daemon answers that in its place.
    try world.start(
      try configuration("first", abuse, "given=\(given)", more: "pass = \"systemd\""), running: ["app"])
    let before = try world.call(.sockets, NoParameters(), as: SocketsReply.self).sockets[0]
    switch abuse {
    case "shutdown": #expect(try Client.isRefused(address))
    case "shortqueue": #expect(before.limit == 1)
    default: #expect(world.text(of: "given").contains("nonblocking 3\n"))
    }

    let report = try world.restart()
    let after = try world.call(.sockets, NoParameters(), as: SocketsReply.self).sockets[0]
    #expect(after.inode == before.inode && (after.limit ?? 0) > 1)
    #expect(!world.text(of: "given").contains("nonblocking 3\n"))
    #expect(try Client.ask(address) == report.pid)
    // The other two are nothing worth telling: many servers turn O_NONBLOCK on.
    #expect(report.repaired.isEmpty == (abuse != "shutdown"), "\(report.repaired)")
  }

  @Test("brings back the path of a Unix socket that the service removed")
  func unlinkedPath() throws {
    let path = world.path("app.sock")
    try world.start(
      """
      [socket.web]
      listen = "unix:\(path)"
      mode = "0600"
      [service.app]
      command = \(try world.command("first", "unlink=\(path)", "notify=READY=1", "serve"))
      sockets = ["web"]
      readiness = "notify"
      """, running: ["app"])
    #expect(access(path, F_OK) == -1)
    let report = try world.restart()
    #expect(report.repaired.contains { $0.contains("had lost its path") }, "\(report.repaired)")
    var status = stat()
    #expect(lstat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
  }

  @Test("escalates to SIGKILL after stop_timeout, not before")
  func escalation() throws {
    try world.start(try configuration("ignore", more: "stop_timeout = \"300ms\""), running: ["app"])
    let report = try world.restart()
    let stopped = try #require(report.stopped)
    #expect(stopped.signals == ["SIGTERM", "SIGKILL"] && stopped.outcome == "SIGKILL")
    #expect((300..<3000).contains(stopped.milliseconds), "\(stopped)")
  }

  @Test("names a stranger to whom the service gave the listener, and spares him")
  func givenAway() throws {
    let path = world.path("stranger.sock")
    let stranger = try Spawned(
      try ChildProcess.built("misbehaving"),
      ["tell=\(world.path("stranger"))", "take=\(path)", "rest"], errors: .file(world.path("stranger.err")))
    try eventually("the stranger listens") { access(path, F_OK) == 0 ? true : nil }
    try world.start(try configuration("send=\(path)"), running: ["app"])
    _ = try Client.ask(address)
    try world.restart()
    try eventually("the stranger is named") {
      world.log.contains("pid \(stranger.pid) \"") && world.log.contains("was not given it by us")
        ? true : nil
    }
    #expect(stranger.isRunning)
    try stranger.send(SIGKILL)
    _ = try stranger.status()
  }
}
