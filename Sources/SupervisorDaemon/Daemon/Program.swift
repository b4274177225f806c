// The program: its arguments, the checks before anything is touched, and its exit status.

import CLinux
import Glibc
import Supervisor

/// What `main` does; the exit statuses are 0, 1 (can't start), 64 (usage) and 78 (configuration), sysexits.h.
package enum Program {
  private static let usageStatus: Int32 = 64
  private static let configurationStatus: Int32 = 78

  private static let help = """
    fdsupervisord: owns listening sockets, keeps the services behind them running, and removes every stray of a launch
    before the next one.

    usage: fdsupervisord [--config FILE] [--control SOCKET] [--check [--json]]
           fdsupervisord run [OPTIONS] -- COMMAND      while you develop; see fdsupervisord run --help

      --config FILE     the configuration; default: /etc/fdsupervisord.toml for root, else
                        $XDG_CONFIG_HOME/fdsupervisord.toml (~/.config where that is not set);
                        ./fdsupervisord.toml where that is absent
      --control SOCKET  where fdsupervisorctl finds the daemon; default: [daemon] control, else
                        $FDSUPERVISORD_CONTROL, else /run/fdsupervisord/control.sock for root,
                        $XDG_RUNTIME_DIR/fdsupervisord/control.sock for others
      --check           check the configuration and exit: 0, or 78 when it is wrong; --json: answer with JSON
      --release-cgroup  for ExecStopPost= of a unit with Delegate=: see fdsupervisord(8)
      --version         say the version
      --help            this text

    Exit status: 0 stopped as asked; 1 can't start; 64 usage; 78 the configuration is wrong.
    Signals: SIGTERM and SIGINT stop all services in order; a second one kills them. SIGHUP: the configuration is read
    again, and what is different is applied.
    See fdsupervisord(8), fdsupervisord.toml(5), fdsupervisorctl(1).

    """

  /// What has to hold before anything else is done, whatever the words say.
  package static func prepare() {
    // Neither a reader of our output that went away, nor a terminal we are in the background of, nor the size of a
    // file may end or stop us: each comes back as the errno of a write.
    for number in [SIGPIPE, SIGTTOU, SIGXFSZ] { signal(number, SIG_IGN) }
    // systemd's watchdog sends it, systemd.service(5): where the Swift runtime's backtracer handles it, the program
    // that is stuck goes on. A trap of our own is another signal.
    signal(SIGABRT, SIG_DFL)
    // Whoever started us may have ignored it, and then the kernel would tell us of no child's end (waitpid(2)).
    signal(SIGCHLD, SIG_DFL)
    StandardDescriptors.fill()
  }

  /// The daemon, after `prepare()`.
  package static func main() -> Never {
    switch Arguments.parse(Array(CommandLine.arguments.dropFirst())) {
    case .failure(let error):
      complain("fdsupervisord: \(error.description); see fdsupervisord --help")
      exit(usageStatus)
    case .success(.help):
      print(help, terminator: "")
      exit(0)
    case .success(.version):
      print("fdsupervisord \(Product.version)")
      exit(0)
    case .success(.run(let arguments)): exit(run(arguments))
    }
  }

  private static func run(_ arguments: Arguments) -> Int32 {
    if arguments.purpose == .releaseCgroup {
      if let remark = CgroupRelease.run() { complain("fdsupervisord: \(remark)") }
      return 0
    }
    if case .rehearse(let state) = arguments.purpose { return rehearse(state) }
    if let inheritance = arguments.inheritance { return takeOver(inheritance) }
    let given = arguments.configuration ?? standardConfiguration
    let path = arguments.purpose == .check ? given : ConfigurationLoader.absolute(given)
    let sources = ConfigurationSources()
    let configuration: Configuration
    let outcome = ConfigurationLoader.load(path, from: sources)
    if arguments.purpose == .check, arguments.format == .json { return tellAsJSON(outcome) }
    switch outcome {
    case .failure(let diagnostics):
      for diagnostic in diagnostics { complain(diagnostic.description) }
      return configurationStatus
    case .success(let loaded, let warnings):
      for warning in warnings { complain(warning.description) }
      configuration = loaded
    }
    if arguments.purpose == .check { return 0 }
    guard let control = arguments.control ?? configuration.daemon.control ?? ControlPath.standard() else {
      complain(
        "fdsupervisord: say where the control socket is to be: --control SOCKET (XDG_RUNTIME_DIR is not set)")
      return 1
    }
    do {
      let origin = DaemonOrigin(
        program: try Succession.ownPath(argument: CommandLine.arguments.first),
        arguments: CommandLine.arguments, configuration: path,
        sources: sources.snapshot)
      return try supervise(configuration, control: control, origin)
    } catch let error as ControlServerError {
      complain("fdsupervisord: \(error.description)")
    } catch {
      complain("fdsupervisord: \(error)")
    }
    return 1
  }

  /// `--check --json`: one line for programs.
  private static func tellAsJSON(_ outcome: ConfigurationResult) -> Int32 {
    let (isGood, diagnostics) =
      switch outcome {
      case .success(_, let warnings): (true, warnings)
      case .failure(let found): (false, found)
      }
    let reply = CheckReply(
      ok: isGood,
      diagnostics: diagnostics.map {
        .init(
          file: $0.file, line: $0.line, column: $0.column, severity: $0.severity.rawValue, message: $0.message
        )
      })
    do throws(WireError) {
      print(String(decoding: try Wire.encode(reply), as: UTF8.self))
    } catch {
      complain("fdsupervisord: \(error)")
      return 1
    }
    return isGood ? 0 : configurationStatus
  }

  private static func supervise(
    _ configuration: Configuration, control: String, _ origin: DaemonOrigin
  ) throws -> Int32 {
    // Our files get their modes explicitly; what the caller's umask was is his affair.
    umask(0o022)
    let activation = SocketActivation.take()
    let loop = try EventLoop()
    let logs = try LogContext.standard(loop: loop, threshold: configuration.daemon.logLevel)
    let daemon = try Daemon(
      loop: loop, configuration: configuration, logs: logs, control: control, activation: activation,
      programs: try OwnPrograms.find(), origin: origin)
    return try daemon.run()
  }

  private static var standardConfiguration: String {
    var candidates = ["/etc/fdsupervisord.toml"]
    if geteuid() != 0 {
      let home = environmentValue("HOME").map { $0 + "/.config" }
      candidates = [environmentValue("XDG_CONFIG_HOME") ?? home].compactMap {
        $0.map { $0 + "/fdsupervisord.toml" }
      }
    }
    return candidates.first { access($0, F_OK) == 0 } ?? "fdsupervisord.toml"
  }

  static func complain(_ text: String) {
    var line = text.hasSuffix("\n") ? text : text + "\n"
    line.withUTF8 { bytes in _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
  }
}

/// The daemon's own programs: they lie beside it, or in ../libexec/fdsupervisord after an installation.
struct OwnPrograms {
  private let folder: String

  var keeper: String { folder + Self.keeperName }
  /// It is missed by those only whose services want it.
  var accept: String { folder + "/fdsupervisor-accept" }

  private static let keeperName = "/fdsupervisor-keeper"

  static func find() throws(StartupError) -> OwnPrograms {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    guard length > 0 else {
      throw StartupError(description: SystemError("read", "/proc/self/exe").description)
    }
    let own = String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let folder = own.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let places = [folder, "\(folder)/../libexec/fdsupervisord"]
    if let found = places.first(where: { access($0 + keeperName, X_OK) == 0 }) {
      return OwnPrograms(folder: found)
    }
    let paths = places.map { $0 + keeperName }
    throw StartupError(
      description: "cannot find the keeper: there is no \(paths.joined(separator: " and no "))")
  }
}

/// A caller may have closed 0, 1 or 2; a socket that got such a number would be written to as if it were a log.
enum StandardDescriptors {
  static func fill() {
    var number = cl_open("/dev/null", O_RDWR, 0)
    while (0...2).contains(number) { number = cl_open("/dev/null", O_RDWR, 0) }
    if number > 2 { close(number) }
  }
}
