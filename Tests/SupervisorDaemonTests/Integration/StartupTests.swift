import Glibc
import Supervisor
import Testing

@Suite("A daemon that can't start", .timeLimit(.minutes(5))) struct StartupTests {
  private let world: World

  init() throws { world = try World() }

  /// Runs a daemon that ends by itself: its exit status, and what it said.
  private func fail(_ configuration: String, prefix: [String] = []) throws -> (status: Int32, log: String) {
    let daemon = try world.spawn(configuration, prefix: prefix)
    return (try daemon.status(), world.log)
  }

  private static let service = "[service.app]\ncommand = [\"sleep\", \"50\"]\n"

  private func socket(_ address: String, _ more: String = "") -> String {
    Self.service + "sockets = [\"web\"]\n[socket.web]\nlisten = \"\(address)\"\n\(more)\n"
  }

  @Test(
    "because of its configuration says where and exits with 78, and nothing was started",
    arguments: [
      (service + "comand = 1", "3:1: error: unknown key 'comand' in [service.app]; did you mean 'command'?"),
      (
        service + "sockets = [\"wep\"]\n[socket.web]\nlisten = \"8000\"",
        "3:12: error: unknown socket 'wep'; did you mean 'web'?"
      ),
      ("[service.\"a/b\"]\ncommand = \"x\"", "a/b"), ("[service.\"a%b\"]\ncommand = \"x\"", "a%b"),
      ("[service.\"a\\nb\"]\ncommand = \"x\"", "error"),
      ("[socket.web]\nlisten = \"127.0.0.1:0\"", "2:10: error"),
      ("[socket.web]\nlisten = \"127.0.0.1:65536\"", "2:10: error"),
      ("[socket.web]\nlisten = \"unix:/" + String(repeating: "x", count: 120) + "\"", "107"),
      (
        "[service.a]\ncommand = \"x\"\nafter = [\"b\"]\n[service.b]\ncommand = \"x\"\nrequires = [\"a\"]",
        "a → b → a"
      ),
      ("[service.a]\ncommand = \"x\"\nwatchdog = \"30s\"", "not supported yet"),
    ])
  func configuration(_ text: String, _ message: String) throws {
    let (status, log) = try fail(text)
    #expect(status == 78)
    #expect(log.contains(message), "\(log)")
    #expect(access(world.control, F_OK) == -1)
  }

  @Test("because others may write its configuration says what to do", .enabled(if: geteuid() == 0))
  func writableByOthers() throws {
    try world.write(Self.service, to: "open.toml", mode: 0o666)
    let program = try ChildProcess.built("fdsupervisord")
    let log = Spawned.Stream.file(world.path("daemon.log"))
    let daemon = try Spawned(
      program, ["--config", world.path("open.toml"), "--control", world.control], output: log, errors: log)
    #expect(try daemon.status() == 78)
    #expect(world.log.contains("others may write it (mode 0666); run: chmod go-w"))
  }

  @Test("because a stranger has its address names him and touches nothing")
  func addressTaken() throws {
    let address = World.address()
    let stranger = try Spawned(try ChildProcess.built("misbehaving"), ["bind=\(address)", "rest"])
    try eventually("the stranger listens") { try Client.isRefused(address) ? nil : true }
    let (status, log) = try fail(socket(address))
    #expect(status == 1)
    #expect(log.contains("cannot bind socket \"web\" to \(address): Address already in use"), "\(log)")
    #expect(log.contains("(held by pid \(stranger.pid) \""))
    #expect(stranger.isRunning && access(world.control, F_OK) == -1)
  }

  @Test("because no interface has its address says so")
  func addressElsewhere() throws {
    let (status, log) = try fail(socket("192.0.2.1:8000"))
    #expect(status == 1)
    #expect(
      log.contains("Cannot assign requested address; no interface of this machine has 192.0.2.1"), "\(log)")
  }

  @Test(
    "because it may not bind a low port names the right that it lacks",
    .enabled(if: geteuid() == 0 && World.isOpenToOthers, "only root can become somebody else"))
  func privilegedPort() throws {
    // The control socket needs a folder that the daemon may write to.
    let daemon = try world.spawn(
      socket("127.0.0.1:81"),
      prefix: ["/usr/bin/env", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
      control: world.openPath("control.sock"))
    #expect(try daemon.status() == 1)
    #expect(
      world.log.contains("Permission denied; ports below 1024 need CAP_NET_BIND_SERVICE (or root)"),
      "\(world.log)")
  }

  @Test("ignores sockets that are meant for somebody else, and says so")
  func sockets() throws {
    let address = World.address()
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = \(try world.command("serve"))
      sockets = ["web"]
      """, environment: ["LISTEN_PID=1", "LISTEN_FDS=1"], running: ["app"])
    #expect(try Client.ask(address) == world.status().pid)
    #expect(world.log.contains("LISTEN_PID is 1, this is process \(world.daemon?.pid ?? 0)"), "\(world.log)")
  }
}
