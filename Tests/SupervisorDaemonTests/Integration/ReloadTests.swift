import Glibc
import Supervisor
import Testing

@Suite("A reload of the configuration", .timeLimit(.minutes(5))) struct ReloadTests {
  let world: World
  let address = World.address()

  init() throws { world = try World() }

  func socket(_ name: String = "web", _ address: String? = nil, more: String = "") -> String {
    "[socket.\(name)]\nlisten = \"\(address ?? self.address)\"\n\(more)\n"
  }

  func service(
    _ name: String = "app", socket: String = "web", _ words: [String] = [], more: String = ""
  )
    throws -> String
  {
    let fixture = try ChildProcess.built("misbehaving")
    let command = ([fixture, "tell=\(world.register.path)"] + words + ["notify=READY=1", "serve"])
      .map { "\"\($0)\"" }.joined(separator: ", ")
    return """
      [service.\(name)]
      command = [\(command)]
      sockets = ["\(socket)"]
      readiness = "notify"
      stray_timeout = "100ms"
      \(more)

      """
  }

  func write(_ configuration: String) throws {
    try world.write(configuration, to: "fdsupervisord.toml")
  }

  func reload(dryRun: Bool? = nil) throws -> ReloadConfigReply {
    try world.call(.reloadConfig, ReloadConfigParameters(dryRun: dryRun), as: ReloadConfigReply.self)
  }

  func reload(_ configuration: String) throws -> ReloadConfigReply {
    try write(configuration)
    let reply = try reload()
    #expect(reply.ok && reply.outcomes.allSatisfy(\.ok), "\(reply)\n\(world.log)")
    return reply
  }

  @Test("relaunches what changed, and touches nothing else")
  func changed() throws {
    let other = World.address()
    let rest = try socket() + socket("admin", other) + service("admin", socket: "admin")
    try world.start(try rest + service(), running: ["app", "admin"])
    let (app, admin) = (try world.status("app"), try world.status("admin"))
    let inodes = [try world.inode("web"), try world.inode("admin")]

    let reply = try reload(try rest + service("app", ["stray=orphan"]))
    #expect(
      reply.changes == [
        .init(kind: .service, name: "app", change: .changed, keys: ["command"], action: .relaunch)
      ])
    #expect(reply.outcomes.map(\.service) == ["app"])
    #expect(reply.outcomes[0].report?.stopped?.pid == app.pid)
    #expect(try world.status("admin") == admin)
    #expect(try world.status("app").generation == 2)
    #expect([try world.inode("web"), try world.inode("admin")] == inodes)
    #expect(try Client.ask(address) == world.status("app").pid)
    try world.register.arrival(of: "orphan")

    let nothing = try reload()
    #expect(nothing.changes == [] && nothing.message == "no difference" && nothing.outcomes == [])
    #expect(try world.status("app").generation == 2)
  }

  @Test("by SIGHUP is the same, and the service manager hears of its beginning and its end")
  func signal() throws {
    try world.start(try socket() + service(), running: ["app"])
    let notify = try NotifyListener(world.path("notify.sock"))
    try write(try socket() + service("app", ["ignore"], more: "stop_timeout = \"100ms\""))
    try #require(world.daemon).send(SIGHUP)
    try world.reach(generation: 2)
    try eventually("READY=1") { try notify.hasSaid("READY=1") ? true : nil }
    #expect(try notify.hasSaid("RELOADING=1"))
    #expect(world.log.contains("reload: service app changed (command, stop_timeout): relaunch"))
    #expect(world.log.contains("the configuration is reloaded: 1 change"))
  }

  @Test("starts what is new and stops what is gone, with its strays and its socket")
  func addedAndRemoved() throws {
    let new = World.address()
    try world.start(try socket() + service("app", ["stray=orphan"]), running: ["app"])
    try world.register.arrival(of: "orphan")
    let reply = try reload(try socket("new", new) + service("jobs", socket: "new"))
    #expect(
      Set(reply.changes) == [
        .init(kind: .socket, name: "new", change: .added, action: .open),
        .init(kind: .socket, name: "web", change: .removed, action: .close),
        .init(kind: .service, name: "jobs", change: .added, action: .start),
        .init(kind: .service, name: "app", change: .removed, action: .stop),
      ])
    #expect(reply.outcomes.map(\.message).contains("stopped and forgotten"))
    #expect(try Client.ask(new) == world.status("jobs").pid)
    #expect(try Client.isRefused(address))
    #expect(world.register.living.filter { $0.role == "orphan" } == [])
    let all = try world.call(.status, ServiceSelection(names: []), as: StatusReply.self)
    #expect(all.services.map(\.name) == ["jobs"])
    #expect(try world.ctl("status", "app").errors.contains("no service is called \"app\""))

    // Back again, in the place of the one that is gone.
    _ = try reload(try socket() + service())
    #expect(try world.status("app").generation == 1)
    #expect(try Client.ask(address) == world.status("app").pid)
    #expect(try Client.isRefused(new))
  }

  @Test("with a faulty file changes nothing, and says where the fault is")
  func faulty() throws {
    try world.start(try socket() + service(), running: ["app"])
    let before = try world.status()
    try write(try socket() + service("app", ["ignore"], more: "stop_timout = \"1s\""))
    let tool = try world.ctl("reload-config")
    #expect(tool.status == 1)
    #expect(tool.errors.contains("fdsupervisord.toml:9:1: error: unknown key"), "\(tool)")
    #expect(tool.output == "the configuration has 1 error; nothing was changed\n")
    let reply = try reload()
    #expect(!reply.ok && reply.changes == [] && reply.diagnostics.map(\.line) == [9])
    #expect(world.log.contains("fdsupervisord.toml:9:1: error: unknown key"))
    #expect(try world.status() == before)
    // The daemon has not lost its way.
    #expect(try Client.ask(address) == before.pid)
    _ = try reload(try socket() + service())
  }

  @Test("of a key that only the supervisor goes by leaves the process alone, and holds from then on")
  func inPlace() throws {
    try world.start(
      try socket() + service("app", ["ignore"], more: "stop_timeout = \"60s\""), running: ["app"])
    let before = try world.status()
    let reply = try reload(try socket() + service("app", ["ignore"], more: "stop_timeout = \"100ms\""))
    #expect(reply.changes.map(\.action) == [.apply] && reply.outcomes == [])
    #expect(try world.status() == before)
    let report = try world.restart()
    #expect(report.stopped?.signals == ["SIGTERM", "SIGKILL"])
    #expect((report.stopped?.milliseconds ?? 0) < 5000)
  }

  @Test("as a dry run tells the difference, and does nothing")
  func dryRun() throws {
    try world.start(try socket() + service(), running: ["app"])
    let before = try world.status()
    try write(try socket("web", World.address()) + service("app", ["ignore"]))
    let text = try world.ctl("reload-config", "--dry-run")
    #expect(text.status == 0)
    #expect(
      text.output == """
        socket web   changed: listen               open
        service app  changed: command, socket.web  relaunch
        a dry run: nothing was changed

        """)
    #expect(try reload(dryRun: true).changes.count == 2)
    #expect(try world.status() == before)
    #expect(try Client.ask(address) == before.pid)
  }

  @Test("that can't open a new socket changes nothing, and names who has the address")
  func taken() throws {
    try world.start(try socket() + service(), running: ["app"])
    let before = try world.status()
    let other = World.address()
    let stranger = try listener(on: other)
    try write(
      try socket() + socket("new", other) + service("app", ["ignore"]) + service("jobs", socket: "new"))
    let reply = try reload()
    #expect(!reply.ok && reply.outcomes == [])
    #expect(reply.message.contains("cannot bind socket \"new\" to \(other)"))
    #expect(reply.message.contains("held by pid \(getpid()) "))
    #expect(reply.message.hasSuffix("; nothing was changed"))
    #expect(try world.status() == before)
    _ = stranger.number
  }

  @Test("keeps the listener of a socket that got another name")
  func renamed() throws {
    try world.start(try socket() + service(), running: ["app"])
    let inode = try world.inode()
    let reply = try reload(try socket("front") + service(socket: "front"))
    #expect(
      Set(reply.changes) == [
        .init(kind: .socket, name: "front", change: .added, action: .rename),
        .init(kind: .socket, name: "web", change: .removed, action: .rename),
        .init(kind: .service, name: "app", change: .changed, keys: ["sockets"], action: .relaunch),
      ])
    #expect(try world.inode("front") == inode)
    #expect(try Client.ask(address) == world.status().pid)
  }

  @Test("moves a socket: the new address is open before the old one closes")
  func moved() throws {
    let new = World.address()
    try world.start(try socket() + service(), running: ["app"])
    _ = try reload(try socket("web", new) + service())
    #expect(try Client.ask(new) == world.status().pid)
    #expect(try Client.isRefused(address))
    #expect(try world.status().generation == 2)
  }

  @Test(
    "opens a socket anew where it must, when the services that have it are gone",
    arguments: ["an option", "a wider address"])
  func openedAnew(_ what: String) throws {
    let port = address.split(separator: ":")[1]
    try world.start(
      try socket() + service("one") + service("two") + service("admin", more: "requires = [\"one\"]"),
      running: ["one", "two", "admin"])
    let inode = try world.inode()
    let changed =
      what == "an option" ? socket("web", more: "reuse_port = true") : socket("web", "0.0.0.0:\(port)")
    let reply = try reload(
      try changed + service("one") + service("two") + service("admin", more: "requires = [\"one\"]"))
    #expect(reply.changes.first?.action == .openAnew)
    #expect(try world.inode() != inode)
    for name in ["one", "two", "admin"] {
      #expect(try world.status(name).generation == 2)
      #expect(try world.status(name).state == .running)
    }
    #expect(try Client.isRefused(address) == false)
  }

  @Test("applies what the kernel takes to the listener that is there")
  func options() throws {
    try world.start(try socket() + service(), running: ["app"])
    let (before, inode) = (try world.status(), try world.inode())
    let reply = try reload(try socket(more: "backlog = 7") + service())
    #expect(
      reply.changes == [
        .init(kind: .socket, name: "web", change: .changed, keys: ["backlog"], action: .apply)
      ])
    #expect(try world.inode() == inode && world.status() == before)
    let sockets = try world.call(.sockets, NoParameters(), as: SocketsReply.self).sockets
    #expect(sockets.map(\.limit) == [7])
  }

  @Test("leaves a service that somebody stopped at rest, with its new definition")
  func stopped() throws {
    try world.start(try socket() + service(), running: ["app"])
    #expect(try world.operate(.stop).ok)
    let reply = try reload(try socket() + service("app", ["stray=orphan"]))
    #expect(reply.changes.map(\.action) == [.apply] && reply.outcomes == [])
    #expect(try world.status().state == .stopped)
    #expect(try world.operate(.start).ok)
    try world.register.arrival(of: "orphan")
  }

  @Test("tries a service again that could not run with the old definition")
  func failed() throws {
    try world.start(
      try socket() + service("app", ["exit=1"], more: "restart = \"never\""))
    try world.reach("app", .failed)
    let reply = try reload(try socket() + service("app", more: "restart = \"never\""))
    #expect(reply.outcomes.map(\.service) == ["app"])
    #expect(try world.status().state == .running)
  }

  @Test("refuses no connection and loses none under load, twenty times over")
  func load() throws {
    let other = World.address()
    try world.start(try socket() + service(), running: ["app"])
    let inode = try world.inode()
    let load = try Load(on: address, folder: world.folder)
    var descriptors = 0
    for round in 1...20 {
      let more = round % 4 == 0 ? "stop_timeout = \"\(round)s\"" : "environment = { ROUND = \"\(round)\" }"
      let neighbour = round % 2 == 0 ? try socket("new", other) + service("jobs", socket: "new") : ""
      _ = try reload(try socket(more: "backlog = \(1000 + round)") + service(more: more) + neighbour)
      if round == 2 { descriptors = try world.descriptors }
    }
    // A search for strangers has some of its own for a moment.
    try eventually("no descriptor was left behind") { try world.descriptors <= descriptors ? true : nil }
    let result = try load.end()
    #expect(result.failures == [], "\(world.log)")
    #expect(result.answers.count > 20)
    #expect(try world.inode() == inode)
    #expect(try world.status().generation > 10)
  }

  @Test("sends the output elsewhere, and whoever follows it goes on reading")
  func log() throws {
    func configured(_ file: String, _ text: String) throws -> String {
      """
      [service.app]
      command = ["/bin/sh", "-c", "echo \(text); exec sleep 1000"]
      log = { file = "\(world.path(file))" }

      """
    }
    try world.start(try configured("one.log", "first"), running: ["app"])
    try eventually("the first line") { world.text(of: "one.log") == "first\n" ? true : nil }
    let follower = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "logs", "-f", "app"],
      output: .file(world.path("followed")))
    try eventually("the follower reads") { world.text(of: "followed") == "first\n" ? true : nil }
    _ = try reload(try configured("two.log", "second"))
    try eventually("the second line") { world.text(of: "two.log") == "second\n" ? true : nil }
    #expect(world.text(of: "one.log") == "first\n")
    try eventually("the follower goes on") { world.text(of: "followed") == "first\nsecond\n" ? true : nil }
    try follower.send(SIGTERM)
    _ = try follower.status()
  }

  @Test("leaves a socket closed that somebody closed, until a service needs it")
  func closed() throws {
    try world.start(try socket() + service(), running: ["app"])
    #expect(try world.ctl("stop", "--close", "app").status == 0)
    _ = try reload(try socket(more: "backlog = 9") + service(more: "stop_timeout = \"1s\""))
    #expect(try Client.isRefused(address))
    _ = try reload(try socket(more: "backlog = 9") + service() + service("more"))
    #expect(try Client.ask(address) == world.status("more").pid)
  }

  @Test("relaunches services in their order, and each is away only for its own relaunch")
  func order() throws {
    try world.start(
      try socket() + service("app", more: "after = [\"db\"]") + service("db"), running: ["app", "db"])
    _ = try reload(
      try socket() + service("app", more: "after = [\"db\"]\nnice = 1") + service("db", more: "nice = 1"))
    let log = world.log.split(separator: "\n").map(String.init)
    let ready = log.firstIndex { $0.contains("db: generation 2 is ready") }
    let relaunched = log.firstIndex { $0.contains("app: generation 2 is ready") }
    #expect(try #require(ready) < #require(relaunched))
  }

  @Test("applies the level of the log at once, and says what takes effect at the next start")
  func daemonKeys() throws {
    try world.start(try socket() + service(), running: ["app"])
    let other = "[daemon]\nlog_level = \"error\"\ncontrol_group = \"\(getgid())\"\n"
    let reply = try reload(try other + socket() + service())
    #expect(
      reply.changes == [
        .init(kind: .daemon, name: "control_group", change: .changed, action: .nextStart),
        .init(kind: .daemon, name: "log_level", change: .changed, action: .apply),
      ])
    let before = world.log
    try world.restart()
    #expect(world.log == before)
  }

  @Test("waits for the one that is under way")
  func oneAfterTheOther() throws {
    try world.start(try socket() + service(), running: ["app"])
    let tool = try ChildProcess.built("fdsupervisorctl")
    try write(try socket() + service("app", more: "nice = 1"))
    let reloads = try (0..<6).map { _ in
      try Spawned(tool, ["--control", world.control, "reload-config"], errors: .file(world.path("errors")))
    }
    for reload in reloads { #expect(try reload.status() == 0, "\(world.text(of: "errors"))") }
    #expect(try world.status().generation == 2)
  }
}
