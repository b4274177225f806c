import Glibc
import Supervisor
import Testing

@Suite("A main process", .timeLimit(.minutes(5))) struct CleanProcessTests {
  private let world: World

  init() throws { world = try World() }

  /// Starts a service that writes down what it was given, under a careless parent of the daemon.
  private func given(
    _ more: String, sockets: String = "", words: [String] = [], value: String = "value"
  ) throws -> Given {
    let path = world.openPath("given")
    let extra = words.map { ", \"\($0)\"" }.joined()
    let command = try world.plainCommand("given=\(path)").dropLast() + extra + ", \"rest\"]"
    let program = try ChildProcess.built("misbehaving")
    try world.start(
      """
      \(sockets)
      [service.app]
      command = \(command)
      environment = { OWN = "\(value)" }
      \(more)
      """,
      prefix: [program, "hostile", "exec"],
      environment: [
        "WATCHDOG_USEC=30000000", "WATCHDOG_PID=1", "LISTEN_FDS=1", "LISTEN_PID=1", "LISTEN_FDNAMES=x",
        "INVOCATION_ID=0123", "INHERITED=yes",
      ],
      running: ["app"])
    try eventually("the service wrote it down") { access(path, R_OK) == 0 ? true : nil }
    return Given(world.text(of: "open/given"))
  }

  @Test("has descriptors 0 to 2 and its sockets, and nothing else that anybody left open")
  func descriptors() throws {
    let (tcp, udp) = (World.address(), World.address())
    let given = try given(
      "sockets = [\"c\", \"a\", \"b\"]",
      sockets: """
        [socket.a]
        listen = "\(tcp)"
        [socket.b]
        listen = "unix:\(world.path("b.sock"))"
        [socket.c]
        listen = "udp:\(udp)"
        """)
    #expect(given.all("fd").compactMap { Int($0.prefix { $0 != " " }) } == [0, 1, 2, 3, 4, 5])
    #expect(given.all("fd")[0] == "0 /dev/null")
    for line in given.all("fd")[3...] { #expect(line.contains(" socket:["), "\(line)") }
    #expect(given.all("nonblocking") == [])
    let inodes = try ["c", "a", "b"].map { try world.inode($0) }
    #expect(given.all("fd")[3...].map { "\($0.dropFirst(2))" } == inodes.map { "socket:[\($0)]" })
    #expect(given.environment["LISTEN_FDS"] == "3")
    #expect(given.environment["LISTEN_FDNAMES"] == "c:a:b")
    #expect(given.environment["LISTEN_PID"] == given.one("pid"))
  }

  @Test("leads a session of its own, with default signals, an empty mask and the usual umask")
  func signals() throws {
    let given = try given("")
    #expect(given.one("session") == given.one("pid") && given.one("group") == given.one("pid"))
    #expect(given.one("umask") == "022")
    for name in ["SigIgn:", "SigBlk:", "SigPnd:", "ShdPnd:"] {
      #expect(given.one(name) == "0000000000000000", "\(name)")
    }
  }

  @Test("finds the environment of the daemon and its own, but nothing that was meant for the daemon")
  func environment() throws {
    let given = try given("")
    #expect(given.environment["OWN"] == "value" && given.environment["INHERITED"] == "yes")
    for name in given.environment.keys {
      let isOurs = ["LISTEN_", "NOTIFY_", "WATCHDOG_", "INVOCATION_", "FDSTORE"].contains {
        name.hasPrefix($0)
      }
      #expect(!isOurs, "\(name)")
    }
  }

  @Test("is told descriptors, ports and addresses in its own words")
  func placeholders() throws {
    let address = World.address()
    let given = try given(
      "sockets = [\"web\"]", sockets: "[socket.web]\nlisten = \"\(address)\"", words: ["print={fd:web}"],
      value: "{fd:web} {port:web} {address:web} {other}")
    let port = address.split(separator: ":")[1]
    #expect(given.environment["OWN"] == "3 \(port) \(address) {other}")
    try eventually("the argument was replaced") { world.log.contains("app | 3\n") ? true : nil }
  }

  @Test(
    "runs under the configured user, groups, limits and priorities",
    .enabled(if: geteuid() == 0, "only root can change to another user"))
  func credentials() throws {
    let given = try given(
      """
      user = "nobody"
      supplementary_groups = ["12", "7"]
      limits = { nofile = [100, 200] }
      nice = 7
      umask = "0027"
      no_new_privileges = true
      ambient_capabilities = ["CAP_NET_BIND_SERVICE"]
      directory = "/usr"
      oom_score_adjust = 300
      """)
    #expect(given.one("uids") == "65534 65534 65534")
    let groups = given.one("gids")?.split(separator: " ") ?? []
    #expect(Set(groups).count == 1 && groups.first != "0")
    #expect(Set(given.one("groups")?.split(separator: " ") ?? []) == ["12", "7"])
    #expect(given.one("nofile") == "100 200" && given.one("nice") == "7" && given.one("umask") == "027")
    #expect(given.one("NoNewPrivs:") == "1" && given.one("directory") == "/usr" && given.one("oom") == "300")
    // CAP_NET_BIND_SERVICE is bit 10, capabilities(7).
    #expect(given.one("CapAmb:") == "0000000000000400" && given.one("CapEff:") == "0000000000000400")
    #expect(given.environment["USER"] == "nobody")
  }

  @Test(
    "keeps no group and no right of root under another user",
    .enabled(if: geteuid() == 0, "only root can change to another user"))
  func defaults() throws {
    let given = try given("user = \"nobody\"")
    #expect(!(given.one("groups")?.split(separator: " ").contains("0") ?? true))
    #expect(given.one("CapEff:") == "0000000000000000" && given.one("CapAmb:") == "0000000000000000")
  }
}

/// What the fixture wrote down: lines "KEY VALUE".
private struct Given {
  private let lines: [(key: String, value: String)]

  init(_ text: String) {
    lines = text.split(separator: "\n").map { line in
      let key = line.prefix { $0 != " " && $0 != "\t" }
      return (String(key), String(line.dropFirst(key.count + 1)))
    }
  }

  func all(_ key: String) -> [String] { lines.filter { $0.key == key }.map(\.value) }
  func one(_ key: String) -> String? { all(key).first }

  var environment: [String: String] {
    Dictionary(
      all("env").map { entry in
        let name = entry.prefix { $0 != "=" }
        return (String(name), String(entry.dropFirst(name.count + 1)))
      }, uniquingKeysWith: { first, _ in first })
  }
}
