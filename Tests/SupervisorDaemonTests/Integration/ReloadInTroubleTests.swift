import Glibc
import Supervisor
import SupervisorDaemon
import Testing

// When a reload meets what it did not expect.
extension ReloadTests {
  @Test("is ended by the end of the daemon, which leaves nothing behind")
  func shutdown() throws {
    try world.start(
      try socket() + service("app", ["ignore"], more: "stop_timeout = \"500ms\""), running: ["app"])
    try write(try socket() + service("app", ["ignore", "stray=orphan"], more: "stop_timeout = \"500ms\""))
    let tool = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "reload-config"],
      output: .file(world.path("said")), errors: .file(world.path("said")))
    try world.reach("app", .stopping)
    let daemon = try #require(world.daemon)
    try daemon.send(SIGTERM)
    #expect(try daemon.status() == 0, "\(world.log)")
    #expect(try tool.status() == 1, "\(world.text(of: "said"))")
    #expect(world.register.all("orphan") == [])
  }

  @Test("tells of a service that does not become ready with its new definition, and leaves the others alone")
  func neverReady() throws {
    let rest = try socket() + service("other")
    try world.start(try rest + service(), running: ["app", "other"])
    let other = try world.status("other")
    let command = try world.plainCommand("rest")
    try write(
      rest + """
        [service.app]
        command = \(command)
        sockets = ["web"]
        readiness = "notify"
        start_timeout = "200ms"
        """)
    let reply = try reload()
    #expect(reply.ok && reply.outcomes.map(\.ok) == [false])
    #expect(reply.outcomes[0].message.contains("not ready within 200 ms"), "\(reply)")
    #expect(try world.status("other") == other)
    _ = try reload(try rest + service())
    #expect(try world.status().state == .running)
  }

  @Test("gives a guarded port to another service only when the one before is gone")
  func guardedPort() throws {
    func configured(_ name: String) throws -> String {
      """
      [service.\(name)]
      command = \(try world.command("bind=\(address)", "serve"))
      ports = ["\(address)"]
      readiness = "listen"

      """
    }
    try world.start(try configured("one"), running: ["one"])
    _ = try reload(try configured("two"))
    #expect(try Client.ask(address) == world.status("two").pid)
    #expect(!world.log.contains("blocked"))
    #expect(world.register.overlaps == [])
  }

  @Test("relaunches a service that needs a new one when that is ready")
  func newRequirement() throws {
    try world.start(try socket() + service(), running: ["app"])
    let fifo = world.makeFifo("fifo")
    try write(
      try socket() + service("app", more: "nice = 1\nrequires = [\"db\"]") + service("db", ["await=\(fifo)"]))
    let tool = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "reload-config"])
    try eventually("the reload begins") { world.log.contains("service db added") ? true : nil }
    try world.reach("db", .starting)
    #expect(try world.status().state == .running && world.status().generation == 1)
    try world.open(fifo: "fifo")
    #expect(try tool.status() == 0, "\(world.log)")
    #expect(try world.status().generation == 2)
  }

  @Test("of an inherited socket keeps it, and says what can't be changed")
  func inherited() throws {
    let own = try listener(on: address)
    try world.write(try socket() + service(), to: "fdsupervisord.toml")
    try world.start(
      try socket() + service(),
      prefix: ["/bin/sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\""], extra: [3: own.number],
      running: ["app"])
    let inode = try world.inode()
    let reply = try reload(try socket(more: "backlog = 9\nfree_bind = true") + service())
    #expect(reply.changes.first?.action == .apply)
    #expect(reply.remarks.contains { $0.contains("came with free_bind off") }, "\(reply)")
    #expect(try world.inode() == inode)
    #expect(try Client.ask(address) == world.status().pid)
  }

  @Test("that nobody waits for any more goes on, and the next one waits for it")
  func clientLeft() throws {
    try world.start(
      try socket() + service("app", ["ignore"], more: "stop_timeout = \"300ms\""), running: ["app"])
    try write(try socket() + service("app", more: "stop_timeout = \"300ms\""))
    let tool = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "reload-config"])
    try world.reach("app", .stopping)
    try tool.send(SIGKILL)
    _ = try tool.status()
    let reply = try reload()
    #expect(reply.ok && reply.message == "no difference")
    #expect(try world.status().generation == 2 && world.status().state == .running)
  }

  @Test("is of the file that the daemon was started with, wherever it is")
  func absolutePath() {
    #expect(ConfigurationLoader.absolute("/etc/fdsupervisord.toml") == "/etc/fdsupervisord.toml")
    let path = ConfigurationLoader.absolute("a/fdsupervisord.toml")
    #expect(path.hasPrefix("/") && path.hasSuffix("/a/fdsupervisord.toml"))
  }
}
