import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The command line tool", .timeLimit(.minutes(5))) struct CommandLineTests {
  private let server: TestServer
  private let tool: String

  init() throws {
    server = try TestServer()
    tool = try ChildProcess.built("fdsupervisorctl")
  }

  private func run(_ arguments: String...) throws -> ChildResult { try run(arguments) }

  private func run(_ arguments: [String]) throws -> ChildResult {
    try ChildProcess.run(tool, ["--control", server.path] + arguments, beside: server)
  }

  private func status(_ name: String, _ state: PublicState) -> ServiceStatus {
    ServiceStatus(
      name: name, state: state, pid: state == .running ? 7 : nil, generation: 1, restarts: 0,
      since: Clock.wallClock(), sockets: ["web"], ports: [])
  }

  @Test("restart names the services, waits for the report, prints it, and exits with 0")
  func restart() throws {
    server.answer = { call in
      #expect(call.method == .restart && !call.wantsMore)
      var report = RelaunchReport(service: "app", generation: 4)
      report.pid = 18311
      report.verified = [.init(address: "127.0.0.1:1", kind: .owned, finding: "no descendant holds it")]
      call.reply(
        OperationReply(outcomes: [
          .init(service: "app", ok: true, message: "generation 4 is ready, pid 18311, 12 ms", report: report)
        ]))
    }
    let result = try run("restart", "app", "db*")
    #expect(
      result.output == """
        app: generation 4 is ready, pid 18311, 12 ms
          verified  127.0.0.1:1  no descendant holds it

        """)
    #expect(result.status == 0 && result.errors == "")
    let asked = try server.calls[0].parameters(as: ServiceSelection.self)
    #expect(asked == ServiceSelection(names: ["app", "db*"]))
  }

  @Test("an outcome that is bad makes 1, an error of the daemon too, with its message")
  func failed() throws {
    server.answer = {
      $0.reply(OperationReply(outcomes: [.init(service: "app", ok: false, message: "exited: exit 1")]))
    }
    #expect(try run("start", "app").status == 1)
    server.answer = { $0.fail(.noSuchService, "no service \"nope\"; did you mean \"app\"?") }
    let refused = try run("restart", "nope")
    #expect(refused.status == 1)
    #expect(refused.errors == "fdsupervisorctl: no service \"nope\"; did you mean \"app\"?\n")
  }

  @Test("status exits with 3 only for names in text; --json prints the reply on one line")
  func status() throws {
    let reply = StatusReply(services: [status("app", .running), status("db", .failed)])
    server.answer = { $0.reply(reply) }
    let all = try run("status")
    #expect(all.status == 0 && all.output.hasPrefix("NAME  STATE"))
    #expect(try run("status", "app", "db").status == 3)
    for arguments in [["status", "--json"], ["--json", "status"], ["status", "--json", "db"]] {
      let json = try run(arguments)
      #expect(json.status == 0)
      #expect(json.output.filter { $0 == "\n" }.count == 1)
      #expect(try Wire.decode(StatusReply.self, from: Array(json.output.utf8)) == reply)
    }
  }

  @Test("without a daemon it says so, what to do, and exits with 4")
  func noDaemon() throws {
    let missing = server.folder.path + "/nothing.sock"
    for arguments in [["status", "--json"], ["restart", "app"], ["sockets"], ["free", "127.0.0.1:1"]] {
      let result = try ChildProcess.run(tool, ["--control", missing] + arguments, beside: server)
      #expect(result.status == 4)
      #expect(
        result.errors.hasPrefix(
          "fdsupervisorctl: no daemon at \(missing): No such file or directory; start it"))
      #expect(result.output == "")
    }
    let environment = ["FDSUPERVISORD_CONTROL=\(missing)"]
    #expect(
      try ChildProcess.run(tool, ["status"], environment: environment, beside: server).errors.contains(
        missing))
  }

  @Test("a daemon that goes away in the middle of a call makes 1, and a line that says it")
  func lost() throws {
    server.answer = { [weak server] _ in server?.close() }
    let result = try run("restart", "app")
    #expect(result.status == 1)
    #expect(result.errors.contains("went away before it answered"))
  }

  @Test(
    "wrong usage is one clear line and 2, and asks no daemon",
    arguments: [
      ["restart"], ["restart", ""], ["restart", "--all", "a"], ["start", "a\nb"], ["stop", "\u{7}"],
      ["restart", String(repeating: "x", count: 100_000)], ["frobnicate"], ["signal", "app"], ["signal"],
      ["signal", "-s", "NOPE", "app"], ["wait", "app", "--timeout", "soon"], ["logs"],
      ["logs", "-n", "-5", "a"],
      ["holders", "127.0.0.1:99999999", "--json"], ["holders", "a b"], ["holders", ""], ["free", "1.2.3:x"],
      ["free"], ["status", "--nope"], ["stop", "--close"],
    ])
  func usage(_ arguments: [String]) throws {
    let result = try run(arguments)
    #expect(result.status == 2, "\(result)")
    #expect(!result.errors.isEmpty && result.output.isEmpty)
    #expect(result.errors.utf8.count < 2000)
    #expect(server.calls.isEmpty)
  }

  @Test("what is no address and no socket's name is an invalid address")
  func garbageAddress() throws {
    server.answer = { $0.fail(.invalidArgument, "no socket \"garbage\"") }
    let result = try run("holders", "garbage", "--json")
    #expect(result.status == 1)
    #expect(result.errors.contains("invalid address \"garbage\""))
  }

  @Test("holders asks the daemon, and works without one")
  func holders() throws {
    let holder = HolderRecord(
      pid: 9, fd: 3, command: "c", user: "u", unit: "", age: 1, address: "127.0.0.1:80", inode: 5)
    let reply = HoldersReply(address: "127.0.0.1:80", holders: [holder], remarks: [])
    server.answer = { $0.reply(reply) }
    let json = try run("holders", "127.0.0.1:80", "--json")
    #expect(json.status == 0)
    #expect(try Wire.decode(HoldersReply.self, from: Array(json.output.utf8)) == reply)
    #expect(try run("holders", "80").output.contains("127.0.0.1:80"))
    server.close()
    let alone = try run("holders", "127.0.0.1:1", "--json")
    #expect(alone.status == 0)
    let local = try Wire.decode(HoldersReply.self, from: Array(alone.output.utf8))
    #expect(local.holders.isEmpty)
  }

  @Test("each verb calls its method with what was typed")
  func parameters() throws {
    server.answer = { call in
      switch call.method {
      case .tree: call.reply(TreeReply(trees: []))
      case .doctor: call.reply(DoctorReply(findings: []))
      case .sockets: call.reply(SocketsReply(sockets: []))
      case .free, .holders: call.reply(HoldersReply(address: "a", holders: [], remarks: []))
      case .logs, .attach: call.reply(LogsReply(lines: []))
      case .shutdown: call.reply(NoParameters())
      case .reloadConfig: call.reply(ReloadConfigReply(ok: true, message: "no difference"))
      case .reexec:
        call.reply(ReexecReply(from: "1", to: "2", pid: 3, services: 4, milliseconds: 5.4, pause: 1))
      case .status, .start, .stop, .restart, .reload, .signal, .wait: call.reply(OperationReply(outcomes: []))
      }
    }
    let lines = [
      ["stop", "--close", "a"], ["start", "--all"], ["reload", "a"], ["signal", "a", "-s", "usr1"],
      ["signal", "HUP", "a"], ["wait", "a", "--timeout", "1m30s"], ["logs", "-n", "5", "a"], ["tree", "a"],
      ["free", "127.0.0.1:80"], ["sockets"], ["doctor"], ["shutdown"],
      ["reload-config", "--dry-run"], ["reexec"],
    ]
    for line in lines { #expect(try run(line).status == 0, "\(line)") }
    func asked<Value: Decodable>(_ index: Int, _ type: Value.Type) throws -> Value {
      try server.calls[index].parameters(as: type)
    }
    #expect(try asked(0, StopParameters.self) == StopParameters(names: ["a"], close: true))
    #expect(try asked(1, ServiceSelection.self) == ServiceSelection(names: [], all: true))
    #expect(server.calls[2].method == .reload)
    #expect(try asked(3, SignalParameters.self) == SignalParameters(names: ["a"], signal: "SIGUSR1"))
    #expect(try asked(4, SignalParameters.self) == SignalParameters(names: ["a"], signal: "SIGHUP"))
    #expect(try asked(5, WaitParameters.self) == WaitParameters(names: ["a"], timeout: 90_000))
    #expect(try asked(6, LogsParameters.self) == LogsParameters(name: "a", lines: 5))
    #expect(
      server.calls.dropFirst(7).map(\.method)
        == [.tree, .free, .sockets, .doctor, .shutdown, .reloadConfig, .reexec])
    #expect(try asked(12, ReloadConfigParameters.self) == ReloadConfigParameters(dryRun: true))
    #expect(try run("reexec").output == "fdsupervisord 1 → 2, pid 3, 4 services kept, 5 ms\n")
  }

  @Test("logs -f prints what streams; --json one object a line")
  func follow() throws {
    server.answer = { call in
      #expect(call.wantsMore)
      call.progress(LogsReply(lines: ["one", "two\u{1b}[2J"]))
      call.progress(LogsReply(lines: ["three"]))
      call.reply(LogsReply(lines: []))
    }
    #expect(try run("logs", "-f", "app").output == "one\ntwo\\x1b[2J\nthree\n")
    let json = try run("logs", "-f", "app", "--json").output.split(separator: "\n")
    #expect(json.count == 3 && json[1] == #"{"lines":["three"]}"#)
  }

  @Test("completes the names of services, and makes scripts for the shells")
  func completion() throws {
    let reply = StatusReply(services: [
      status("app", .running), status("api", .running), status("db", .failed),
    ])
    server.answer = { $0.reply(reply) }
    for shell in ["bash", "zsh", "fish"] {
      let result = try ChildProcess.run(tool, ["--generate-completion-script", shell], beside: server)
      #expect(result.status == 0 && result.output.contains("restart"))
    }
    let result = try ChildProcess.run(
      tool, ["---completion", "restart", "--", "positional@0", "2", "2", "fdsupervisorctl", "restart", "ap"],
      environment: ["FDSUPERVISORD_CONTROL=\(server.path)", "SAP_SHELL=bash"], beside: server)
    #expect(result.output.contains("api") && result.output.contains("app"), "\(result)")
  }

  @Test("--version and --help succeed, on stdout")
  func help() throws {
    let version = try ChildProcess.run(tool, ["--version"], beside: server)
    #expect(version.status == 0 && version.output == Product.version + "\n")
    let help = try ChildProcess.run(tool, ["--help"], beside: server)
    #expect(help.status == 0 && help.output.contains("Exit status"))
  }
}
