import Supervisor
import Testing

@Suite("What people read") struct RenderingTests {
  private func text(_ lines: [String]) -> String { lines.joined(separator: "\n") }

  @Test("a command that is too long for its place loses its folder first, then its end")
  func longCommands() {
    #expect(Text.shortenedCommand("/usr/bin/server --port 80", to: 30) == "/usr/bin/server --port 80")
    #expect(Text.shortenedCommand("/usr/lib/app/bin/server --port 80", to: 20) == "…/server --port 80")
    #expect(Text.shortenedCommand("/usr/lib/app/bin/server --port 80", to: 12) == "…/server --…")
    #expect(Text.shortenedCommand("server /usr/lib/app/port", to: 12) == "server /usr…")
    #expect(Text.shortenedCommand("/averylongname", to: 8) == "/averyl…")
  }

  @Test("the report of a restart")
  func report() {
    let report = Samples.fullReport
    let lines = [ReportText.headline(report)] + ReportText.details(report)
    #expect(
      text(lines) == """
        app: generation 4 is ready, pid 18311, 12 ms
          stopped   18011  flask run   SIGTERM, exit 0 after 8 ms
          stray     18022  sleep 1000  held 127.0.0.1:22222 as fd 4; parent 18011 was gone; SIGTERM, gone after 1 ms
          verified  127.0.0.1:22222    no descendant holds it
          queued    3 connections waited in the backlog, none was refused
        """)
  }

  @Test("the report of a stop, of a crash, and of a stray that stays")
  func odd() {
    var report = RelaunchReport(service: "app", generation: 4)
    report.milliseconds = 1500
    report.stopped = .init(
      pid: 7, command: "x", signals: [], outcome: "SIGSEGV (core dumped)", milliseconds: 0)
    report.strays = [.init(pid: 123456, command: "y", signals: ["SIGTERM", "SIGKILL"])]
    report.queued = 1
    report.repaired = ["listener web: O_NONBLOCK cleared"]
    #expect(
      text([ReportText.headline(report)] + ReportText.details(report)) == """
        app: stopped, 1.5 s
          stopped   7       x  SIGSEGV (core dumped)
          stray     123456  y  SIGTERM, SIGKILL, still there
          queued    1 connection waited in the backlog, none was refused
          repaired  listener web: O_NONBLOCK cleared
        """)
  }

  @Test("the strays that live on, and what was taken from them")
  func released() {
    var report = RelaunchReport(service: "app", generation: 4)
    let held = ["127.0.0.1:22222 as fd 4"]
    var released = RelaunchReport.StrayRecord(pid: 18022, command: "sleep 1000", held: held)
    (released.fate, released.taken) = (.released, ["127.0.0.1:22222"])
    var reported = RelaunchReport.StrayRecord(pid: 18023, command: "sleep 1001", held: held)
    reported.fate = .reported
    var partly = RelaunchReport.StrayRecord(pid: 18024, command: "x", held: held + ["[::1]:80 as fd 5"])
    (partly.fate, partly.taken) = (.released, ["[::1]:80"])
    var harmless = RelaunchReport.StrayRecord(pid: 18025, command: "y", remark: "in a session of its own")
    (harmless.fate, harmless.taken) = (.released, [])
    report.strays = [released, reported, partly, harmless]
    #expect(
      text(ReportText.details(report)) == """
          released  18022  sleep 1000  held 127.0.0.1:22222 as fd 4; the port was taken from it; it lives on
          reported  18023  sleep 1001  held 127.0.0.1:22222 as fd 4; it lives on, and keeps that
          released  18024  x           held 127.0.0.1:22222 as fd 4, [::1]:80 as fd 5; [::1]:80 was taken from it; it lives on
          released  18025  y           in a session of its own; it lives on
        """)
  }

  @Test("outcomes, good and bad, with the last lines of what failed")
  func outcomes() {
    let reply = OperationReply(outcomes: [
      .init(service: "app", ok: true, message: "app: already running"),
      .init(
        service: "db", ok: false, message: "exited before it was ready: exit 1",
        lastLines: ["a\tb", "\u{1b}[31m"]),
    ])
    #expect(
      text(OutcomeText.lines(reply)) == """
        app: already running
        db: exited before it was ready: exit 1
          | a\tb
          | \\x1b[31m
        """)
    #expect(text(OutcomeText.lines(reply, style: .coloured)).contains("\u{1b}[31mexited before"))
  }

  @Test("the table of services, and why one is not well")
  func status() {
    let running = ServiceStatus(
      name: "app", state: .running, pid: 18311, generation: 4, restarts: 3, since: 988, sockets: ["web"],
      ports: [])
    var blocked = ServiceStatus(
      name: "cache", state: .blocked, pid: nil, generation: 2, restarts: 1, since: 800, sockets: [],
      ports: ["127.0.0.1:6379"])
    blocked.message = "127.0.0.1:6379 is held by pid 812 (redis-server)"
    blocked.retryIn = 1500
    blocked.lastExit = LastExit(pid: 9, reason: .signalled(9, coreDumped: false))
    blocked.lastLines = ["bye"]
    #expect(
      text(StatusText.lines(StatusReply(services: [running, blocked]), now: 1000)) == """
        NAME   STATE    PID    GENERATION  RESTARTS  SINCE     LISTENS
        app    running  18311  4           3         12 s      web
        cache  blocked  -      2           1         3 m 20 s  127.0.0.1:6379
          127.0.0.1:6379 is held by pid 812 (redis-server)
          next launch in 1.5 s
          last exit: pid 9, SIGKILL
          | bye
        """)
    #expect(StatusText.lines(StatusReply(services: []), now: 0) == ["no services"])
  }

  @Test("holders: ours by service and generation, strangers by unit")
  func holders() {
    let reply = HoldersReply(
      address: "127.0.0.1:6379", holders: [Samples.holder(of: nil), Samples.holder(of: "cache")],
      remarks: ["3 connections in TIME_WAIT"])
    #expect(
      text(HoldersText.lines(reply)) == """
        PID  FD  COMMAND              USER   FROM           AGE      ADDRESS         SERVICE
        812  6   redis-server *:6379  redis  redis.service  3 h 2 m  127.0.0.1:6379  -
        812  6   redis-server *:6379  redis  pts/3          3 h 2 m  127.0.0.1:6379  cache #3
        3 connections in TIME_WAIT
        """)
    let nobody = HoldersReply(address: "127.0.0.1:1", holders: [], remarks: [])
    #expect(HoldersText.lines(nobody) == ["127.0.0.1:1: nobody holds it"])
  }

  @Test("who has a port, with what is below it")
  func screen() {
    func node(_ pid: Int32, _ depth: Int, _ command: String, holds: Bool = true) -> HolderNode {
      HolderNode(
        pid: pid, depth: depth, command: command, user: "me", origin: depth == 0 ? "pts/3" : "", age: 7200,
        holds: holds)
    }
    let nodes = [
      node(18011, 0, "flask run"), node(18014, 1, "python \u{1b}"), node(18020, 2, "sh", holds: false),
    ]
    #expect(
      text(HolderScreen.lines(nodes)) == """
          18011  flask run      since 2 h 0 m, pts/3, user me
          18014    python \\x1b  since 2 h 0 m, user me
          18020      sh         since 2 h 0 m, user me, does not hold it
        """)
    let many = (1...20).map { node($0, 0, "x") }
    #expect(HolderScreen.lines(many).count == 13 && HolderScreen.lines(many).last == "  and 8 more")
  }

  @Test("sockets, with their queues and who holds them")
  func sockets() {
    let web = SocketStatus(
      name: "web", address: "127.0.0.1:8000", inode: 99, queued: 3, limit: 4096, origin: "opened",
      services: ["app"], holders: [Samples.holder(of: "app")])
    let closed = SocketStatus(
      name: "dns", address: "udp:127.0.0.1:53", inode: 0, queued: nil, limit: nil, origin: "closed",
      services: [],
      holders: [])
    #expect(
      text(HoldersText.lines(SocketsReply(sockets: [web, closed]))) == """
        NAME  ADDRESS           INODE  QUEUED  ORIGIN  SERVICES
        web   127.0.0.1:8000    99     3/4096  opened  app
          pid 812  redis-server *:6379  as fd 6 (user redis, app, generation 3, for 3 h 2 m)
        dns   udp:127.0.0.1:53  -      -       closed  -
        """)
  }

  @Test("the tree of a service, indented by descent")
  func tree() {
    func process(_ pid: Int32, _ depth: Int, _ command: String, _ holds: [String]) -> TreeProcess {
      TreeProcess(
        pid: pid, parent: 1, depth: depth, command: command, state: "S", user: "www", age: 5, holds: holds)
    }
    let tree = ServiceTree(
      service: "app", generation: 2, keeper: 10,
      processes: [process(11, 0, "flask", ["web as fd 3"]), process(12, 1, "sh \u{7}", [])])
    let empty = ServiceTree(service: "db", generation: 0, keeper: nil, processes: [])
    #expect(
      text(TreeText.lines(TreeReply(trees: [tree, empty]))) == """
        app: generation 2, keeper 10
          11  S  flask      www  5 s  web as fd 3
          12  S    sh \\x07  www  5 s
        db: no processes
        """)
  }

  @Test("nothing that came over the wire moves the cursor")
  func escapes() {
    let evil = "\u{1b}[2J\r\n\u{9b}x"
    var status = Samples.fullStatus
    (status.name, status.message, status.lastLines, status.sockets) = (evil, evil, [evil], [evil])
    var report = Samples.fullReport
    report.strays = [.init(pid: 1, command: evil, held: [evil], remark: evil, signals: [evil])]
    report.repaired = [evil]
    let holder = HolderRecord(
      pid: 1, fd: 1, command: evil, user: evil, unit: evil, age: 1, address: evil, inode: 1)
    let lines =
      StatusText.lines(StatusReply(services: [status]), now: 2) + [ReportText.headline(report)]
      + ReportText.details(report)
      + HoldersText.lines(HoldersReply(address: evil, holders: [holder], remarks: [evil]))
      + OutcomeText.lines(
        OperationReply(outcomes: [.init(service: evil, ok: false, message: evil, lastLines: [evil])]))
      + TreeText.lines(DoctorReply(findings: [.init(name: evil, ok: true, message: evil)]))
    #expect(lines.allSatisfy { ProcessTable.printable($0) == $0 })
  }
}

@Suite("A reload of the configuration, as text") struct ReloadTextTests {
  @Test("shows what is different, what became of the services, and a last line that says it all")
  func reload() {
    var reply = ReloadConfigReply(ok: true, message: "the configuration is reloaded: 3 changes")
    reply.changes = [
      .init(kind: .daemon, name: "control", change: .changed, action: .nextStart),
      .init(kind: .socket, name: "web", change: .changed, keys: ["reuse_port"], action: .openAnew),
      .init(
        kind: .service, name: "app", change: .changed, keys: ["command", "socket.web"], action: .relaunch),
    ]
    reply.outcomes = [.init(service: "app", ok: true, message: "generation 2 is ready, pid 7, 3 ms")]
    reply.remarks = ["socket \"web\" (127.0.0.1:80) is open"]
    #expect(
      ReloadText.lines(reply) == [
        "[daemon] control  changed                       takes effect at the next start of the daemon",
        "socket web        changed: reuse_port           close and open anew",
        "service app       changed: command, socket.web  relaunch",
        "app: generation 2 is ready, pid 7, 3 ms",
        "socket \"web\" (127.0.0.1:80) is open",
        "the configuration is reloaded: 3 changes",
      ])
  }

  @Test("shows diagnostics as compilers write them, and what no terminal should obey made visible")
  func diagnostics() {
    let lines = ReloadText.lines([
      .init(file: "a.toml", line: 3, column: 7, severity: "error", message: "unknown key \"x\u{1b}\""),
      .init(file: "b.toml", line: 0, column: 0, severity: "warning", message: "empty"),
    ])
    #expect(lines.first?.hasPrefix("a.toml:3:7: error: unknown key") == true)
    #expect(lines.first?.contains("\u{1b}") == false)
    #expect(lines.last == "b.toml: warning: empty")
  }
}
