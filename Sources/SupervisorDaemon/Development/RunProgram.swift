// `fdsupervisord run`: from its words to a daemon that supervises one folder, and the exit status.

import CLinux
import Glibc
import Supervisor

/// What `fdsupervisord run` does.
package enum RunProgram {
  private static let usageStatus: Int32 = 64

  package static func main(_ words: [String]) -> Int32 {
    do throws(StartupError) {
      let place = try surroundings()
      switch RunArguments.parse(words, in: place.folder) {
      case .failure(let error):
        Program.complain("fdsupervisord run: \(error.description); see fdsupervisord run --help")
        return usageStatus
      case .success(.help):
        print(RunHelp.text, terminator: "")
        return 0
      case .success(.run(let arguments)): return try start(arguments, place)
      }
    } catch {
      if !error.description.isEmpty { Program.complain(error.description) }
      return 1
    }
  }

  private static func start(
    _ arguments: RunArguments, _ place: RunConfiguration.Surroundings
  ) throws(StartupError) -> Int32 {
    let control: String
    do {
      control = try arguments.control ?? ControlPath.ofDirectory()
      try RuntimeFolder().create()
    } catch {
      throw StartupError(description: "fdsupervisord: \(error)")
    }
    if arguments.place != .detached, let status = AttachedRun.join(control, arguments) { return status }
    var files = RunFiles(arguments, place)
    let wanted: RunConfiguration
    switch files.read() {
    case .success(let read): wanted = read
    case .failure(let failure):
      for line in failure.lines { Program.complain(line) }
      return failure.status
    }
    if arguments.place == .detach { return try DetachedRun.start(control) }
    return try supervise(wanted, arguments, place, control, files)
  }

  private static func supervise(
    _ wanted: RunConfiguration, _ arguments: RunArguments, _ place: RunConfiguration.Surroundings,
    _ control: String, _ files: RunFiles
  ) throws(StartupError) -> Int32 {
    umask(0o022)
    // From the session of the terminal that started it: that may go.
    if arguments.place == .detached { setsid() }
    do {
      let loop = try EventLoop()
      // Who starts it in the background hears its standard error until it has started.
      let logs = try LogContext.console(
        loop: loop, threshold: wanted.configuration.daemon.logLevel,
        on: arguments.place == .detached ? STDERR_FILENO : STDOUT_FILENO)
      for remark in wanted.remarks { logs.log.log(.notice, remark) }
      let ports = RunPorts(arguments, place, log: logs.log)
      for address in wanted.configuration.sockets.flatMap(\.addresses) {
        if try ports.clear(address) == .left {
          logs.log.flush()
          return 1
        }
      }
      let origin = DaemonOrigin(
        program: try Succession.ownPath(argument: CommandLine.arguments.first),
        arguments: CommandLine.arguments, configuration: files.file ?? place.folder,
        sources: files.sources.snapshot)
      let daemon = try Daemon(
        loop: loop, configuration: wanted.configuration, logs: logs, control: control,
        activation: SocketActivation.take(), programs: try OwnPrograms.find(), origin: origin)
      let run = try DevelopmentRun(arguments, daemon: daemon, ports: ports)
      daemon.observer = run
      defer { run.end() }
      return try daemon.run()
    } catch let error as StartupError {
      throw error
    } catch let error as ControlServerError {
      throw StartupError(description: "fdsupervisord: \(error.description)")
    } catch {
      throw StartupError(description: "fdsupervisord: \(error)")
    }
  }

  private static func surroundings() throws(StartupError) -> RunConfiguration.Surroundings {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard let folder = getcwd(&buffer, buffer.count) else {
      throw StartupError(description: "fdsupervisord: \(SystemError("look at", "the current directory"))")
    }
    let identity: DirectoryIdentity
    do throws(SystemError) {
      identity = try DirectoryIdentity(of: ".")
    } catch {
      throw StartupError(description: "fdsupervisord: \(error)")
    }
    var environment: [String: String] = [:]
    for name in ["PORT", "PYTHONUNBUFFERED"] { environment[name] = environmentValue(name) }
    return RunConfiguration.Surroundings(
      folder: String(cString: folder),
      marker: identity.name,
      isRoot: geteuid() == 0, environment: environment)
  }
}
