// Configurations that are right, and what becomes of them.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A right configuration", .timeLimit(.minutes(5)))
struct GoodConfigurationTests {
  @Test("with every key becomes the model, and nothing is found")
  func everyKey() throws {
    let folder = try ConfigurationFolder()
    try folder.write(Self.text, to: "c.toml")
    try folder.write("FROM=file\n", to: "app.env")
    #expect(folder.findings() == "")
    let configuration = try folder.configuration()
    var daemon = DaemonDefinition()
    daemon.control = folder.path + "/run/control.sock"
    daemon.controlGroup = "adm"
    daemon.logLevel = .debug
    daemon.readiness = .services
    #expect(configuration.daemon == daemon)
    #expect(configuration.sockets == [Self.web, Self.local, Self.datagram])
    #expect(configuration.services.map(\.name) == ["app", "db", "plain"])
    let app = try #require(configuration.services.first)
    #expect(app == Self.app(in: folder.path))
    #expect(configuration.services[1].log == .none)
    #expect(configuration.services[1].pass == .none)
  }

  @Test("with a command alone has every default")
  func defaults() throws {
    #expect(
      try service("[service.app]\ncommand = [\"x\"]\n") == ServiceDefinition(name: "app", command: ["x"]))
  }

  @Test(
    "spells times with units",
    arguments: [
      ("0s", Duration.zero), ("250ms", .milliseconds(250)), ("2s", .seconds(2)), ("1m30s", .seconds(90)),
      ("1h", .seconds(3600)), ("1d2h3m4s5ms", .milliseconds(93_784_005)), ("90s", .seconds(90)),
    ])
  func times(text: String, value: Duration) throws {
    #expect(try service("[service.app]\ncommand = \"x\"\nstop_timeout = \"\(text)\"\n").stopTimeout == value)
  }

  @Test(
    "has no other times",
    arguments: ["", "5", "s", "1s1m", "1s1s", "1.5s", "-1s", "1 s", "1S", "9999999999d", "4000d"])
  func noTimes(text: String) throws {
    #expect(
      try findings(in: "[service.app]\ncommand = \"x\"\nstop_timeout = \"\(text)\"\n").contains("is no time"))
  }

  @Test("may write later capabilities' defaults", arguments: harmless)
  func harmlessDefault(line: String) throws {
    #expect(try findings(in: "[service.app]\ncommand = \"x\"\n\(line)\n") == "")
  }

  private static let harmless = [
    "instances = 1", "strays = \"kill\"", "stray_allow = []", "start = \"eager\"",
    "restart_mode = \"replace\"", "watch = []",
  ]

  private static var web: SocketDefinition {
    let loopback = SocketAddress.tcp(.v4(0x7f00_0001), port: 8000)
    let six = SocketAddress.tcp(.v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], scope: 0), port: 8000)
    var web = SocketDefinition(name: "web", addresses: [loopback, six])
    web.options.backlog = 128
    web.options.reusePort = true
    web.options.v6Only = true
    web.options.bindToDevice = "lo"
    web.options.freeBind = true
    web.options.transparent = true
    web.options.deferAccept = .seconds(5)
    web.options.fastOpen = 16
    web.options.keepAlive = true
    web.options.noDelay = true
    web.options.receiveBuffer = 65536
    web.options.sendBuffer = 1000
    web.options.mark = 7
    return web
  }

  private static var local: SocketDefinition {
    var local = SocketDefinition(name: "local", addresses: [.unix(.stream, .path("/run/app.sock"))])
    local.options.mode = 0o660
    local.options.user = "www-data"
    local.options.group = "33"
    return local
  }

  private static var datagram: SocketDefinition {
    SocketDefinition(name: "dns", addresses: [.udp(.v4(0x7f00_0001), port: 53)])
  }

  private static func app(in folder: String) -> ServiceDefinition {
    var app = ServiceDefinition(name: "app", command: ["flask", "run", "--fd", "{fd:web}", "{port:dns}"])
    app.sockets = ["web", "local"]
    app.ports = [.tcp(.v4(0x7f00_0001), port: 6379)]
    app.environment = [
      EnvironmentEntry(name: "FROM", value: "file"), EnvironmentEntry(name: "FLASK_APP", value: "app"),
      EnvironmentEntry(name: "A", value: "{address:local} {other}"),
    ]
    app.directory = folder + "/app"
    app.credentials.user = "www-data"
    app.credentials.group = "33"
    app.credentials.supplementaryGroups = ["adm", "4"]
    app.umask = 0o027
    app.limits = [
      LimitDefinition(name: "nofile", resource: 7, soft: 65536, hard: 65536),
      LimitDefinition(name: "core", resource: 4, soft: .max, hard: .max),
      LimitDefinition(name: "nproc", resource: 6, soft: 100, hard: .max),
      LimitDefinition(name: "memlock", resource: 8, soft: 65536, hard: 65536),
    ]
    app.resources.memory = 512 << 20
    app.resources.tasks = 100
    app.resources.cpu = 150
    app.nice = -5
    app.noNewPrivileges = true
    app.ambientCapabilities = ["CAP_NET_BIND_SERVICE", "CAP_KILL"]
    app.oomScoreAdjust = -500
    app.autostart = false
    app.after = ["db"]
    app.requires = ["db"]
    app.pass = .systemd
    app.readiness = .notify
    app.startTimeout = .seconds(5)
    app.restart = .onFailure
    app.backoff.initial = .milliseconds(50)
    app.backoff.max = .seconds(60)
    app.backoff.factor = 3
    app.backoff.jitter = 0.25
    app.startLimit.burst = 3
    app.startLimit.interval = .seconds(20)
    app.startLimit.action = .fail
    app.stopSignal = 2
    app.stopTimeout = .seconds(90)
    app.strays = .release
    app.strayAllow = ["tmux*", "screen"]
    app.strayTimeout = .milliseconds(250)
    app.reloadSignal = 36
    app.survive = true
    var file = LogFileDefinition(path: folder + "/app.log")
    file.maxSize = 1 << 20
    file.keep = 2
    app.log = .file(file)
    return app
  }

  private static let text = """
    [daemon]
    control = "run/control.sock"
    control_group = "adm"
    log_level = "debug"
    ready = "services"

    [socket.web]
    listen = ["127.0.0.1:8000", "[::1]:8000"]
    backlog = 128
    reuse_port = true
    v6_only = true
    bind_to_device = "lo"
    free_bind = true
    transparent = true
    defer_accept = "5s"
    fast_open = 16
    keep_alive = true
    no_delay = true
    receive_buffer = "64KiB"
    send_buffer = 1000
    mark = 7

    [socket.local]
    listen = "unix:/run/app.sock"
    mode = "0660"
    user = "www-data"
    group = 33

    [socket.dns]
    listen = "udp:127.0.0.1:53"

    [service.app]
    command = "flask run --fd {fd:web} '{port:dns}'"
    sockets = ["web", "local"]
    pass = "systemd"
    ports = ["127.0.0.1:6379"]
    environment = { FLASK_APP = "app", A = "{address:local} {other}" }
    environment_file = "app.env"
    directory = "app"
    user = "www-data"
    group = 33
    supplementary_groups = ["adm", 4]
    umask = 0o027
    limits.nofile = 65536
    limits.core = "infinity"
    limits.nproc = [100, "infinity"]
    limits.memlock = "64KiB"
    limits.memory = "512MiB"
    limits.tasks = 100
    limits.cpu = "150%"
    nice = -5
    no_new_privileges = true
    ambient_capabilities = ["CAP_NET_BIND_SERVICE", "kill"]
    oom_score_adjust = -500
    autostart = false
    after = ["db"]
    requires = ["db"]
    readiness = "notify"
    start_timeout = "5s"
    restart = "on-failure"
    backoff = { initial = "50ms", max = "1m", factor = 3, jitter = 0.25 }
    start_limit = { burst = 3, interval = "20s", action = "fail" }
    stop_signal = "INT"
    stop_timeout = "1m30s"
    strays = "release"
    stray_allow = ["tmux*", "screen"]
    stray_timeout = "250ms"
    reload_signal = "SIGRTMIN+2"
    survive = true
    log = { file = "app.log", max_size = "1MiB", keep = 2 }

    [service.db]
    command = ["db"]
    sockets = ["dns"]
    pass = "none"
    log = "none"

    [service.plain]
    command = ["x", ""]
    readiness = "listen"
    ports = ["9000", "unix:@name"]
    log = "journal"
    """
}
