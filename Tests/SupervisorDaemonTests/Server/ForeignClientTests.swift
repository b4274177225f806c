import Glibc
import Supervisor
import SupervisorDaemon
import Testing

/// A client that nobody here wrote: PyPI's `varlink`.
///
/// Where it is not installed for python3, or for the interpreter
/// that VARLINK_PYTHON names, the test is skipped.
@Suite("A foreign Varlink client", .timeLimit(.minutes(5))) struct ForeignClientTests {
  private static let interpreter: String? = {
    let python = getenv("VARLINK_PYTHON").map { String(cString: $0) } ?? "/usr/bin/python3"
    guard access(python, X_OK) == 0 else { return nil }
    do {
      let result = try ChildProcess.run(python, ["-c", "import varlink"], beside: TestServer())
      return result.status == 0 ? python : nil
    } catch { return nil }
  }()

  private let script = """
    import json, sys, varlink
    client = varlink.Client(address="unix:" + sys.argv[1])
    service = client.open("org.varlink.service")
    print(service.GetInfo()["product"])
    for name in service.GetInfo()["interfaces"]:
        client.get_interface(name)
    control = client.open("org.fdsupervisord.Control")
    print(control.Status([], True)["services"][0]["state"])
    print([reply.get("progress") or reply["outcomes"] for reply in control.Restart(["app"], _more=True)])
    print(len(control.Sockets()["sockets"]), control.Shutdown())
    try:
        control.Start(["nope"])
    except varlink.VarlinkError as error:
        print(error.error(), error.parameters()["message"])
    """

  @Test("introspects and calls", .enabled(if: interpreter != nil))
  func calls() throws {
    let python = try #require(Self.interpreter)
    let server = try TestServer()
    server.answer = { call in
      switch call.method {
      case .status:
        var status = ServiceStatus(
          name: "app", state: .running, pid: 7, generation: 1, restarts: 0, since: 1, sockets: [], ports: [])
        status.report = RelaunchReport(service: "app", generation: 1)
        call.reply(StatusReply(services: [status]))
      case .restart:
        call.progress(ProgressReply(service: "app", message: "stopping"))
        call.reply(OperationReply(outcomes: [.init(service: "app", ok: true, message: "ready")]))
      case .sockets: call.reply(SocketsReply(sockets: []))
      case .shutdown: call.reply(NoParameters())
      default: call.fail(.noSuchService, "no service \"nope\"")
      }
    }
    let result = try ChildProcess.run(python, ["-c", script, server.path], beside: server)
    #expect(result.status == 0, "\(result.errors)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.first == "fdsupervisord")
    #expect(lines.dropFirst().first == "running")
    #expect(result.output.contains("'message': 'stopping'") && result.output.contains("'message': 'ready'"))
    #expect(lines.last == "org.fdsupervisord.Control.NoSuchService no service \"nope\"")
  }
}
