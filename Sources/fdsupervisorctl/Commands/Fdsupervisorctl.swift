// The command, its verbs, and how the argument parser's errors become ours.

import ArgumentParser
import Glibc
import Supervisor

struct Fdsupervisorctl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fdsupervisorctl",
    abstract: "Talks to fdsupervisord, which keeps services and their listening sockets.",
    discussion: """
      Exit status: 0 done; 1 refused or failed; 2 usage; 3 (status NAME…) not running; 4 no daemon;
      78 (check) the configuration is wrong.
      """,
    version: Product.version,
    subcommands: [
      StatusCommand.self, StartCommand.self, StopCommand.self, RestartCommand.self, ReloadCommand.self,
      SignalCommand.self, WaitCommand.self, LogsCommand.self, SocketsCommand.self, HoldersCommand.self,
      FreeCommand.self, TreeCommand.self, DoctorCommand.self, CheckCommand.self,
      ReloadConfigCommand.self, ReexecCommand.self, ShutdownCommand.self,
    ])

  @OptionGroup var shared: SharedOptions

  /// Parses and runs; the exit status.
  static func start(_ arguments: [String]) -> Int32 {
    do {
      var command = try parseAsRoot(verbFirst(arguments))
      try command.run()
      return ExitStatus.done
    } catch { return finish(error) }
  }

  private static func finish(_ error: any Error) -> Int32 {
    let code = exitCode(for: error).rawValue
    let message = fullMessage(for: error)
    if code == EXIT_SUCCESS {
      Output.write(message.isEmpty ? "" : message + "\n", to: STDOUT_FILENO)
    } else if !message.isEmpty, !(error is ExitCode) {
      Output.write(shortened(message) + "\n", to: STDERR_FILENO)
    }
    return code == ExitCode.validationFailure.rawValue ? ExitStatus.usage : code
  }

  /// Options before the verb belong to the verb.
  private static func verbFirst(_ arguments: [String]) -> [String] {
    var index = 0
    while index < arguments.count {
      if arguments[index] == "--control" { index += 1 } else if !isShared(arguments[index]) { break }
      index += 1
    }
    guard index < arguments.count, !arguments[index].hasPrefix("-") else { return arguments }
    return [arguments[index]] + arguments[..<index] + arguments[(index + 1)...]
  }

  private static func isShared(_ argument: String) -> Bool {
    argument == "--json" || argument.hasPrefix("--control=")
  }

  /// The parser repeats what was typed, of any length, with its control characters.
  private static func shortened(_ message: String) -> String {
    message.split(separator: "\n", omittingEmptySubsequences: false)
      .map { Text.shortened(ProcessTable.printable(String($0)), to: 400) }.joined(separator: "\n")
  }
}

/// The options of every verb.
struct SharedOptions: ParsableArguments {
  @Option(
    help:
      "The daemon's socket; else $FDSUPERVISORD_CONTROL, that of this directory or above, the standard place.",
    completion: .file())
  var control: String?

  @Flag(help: "Answer with the daemon's JSON, on one line.")
  var json = false

  /// Runs the body in a session, and ends the process's work with its exit status.
  func run(_ body: (Session) throws(Failure) -> Int32) throws {
    let status = Session(control: control, format: json ? .json : .text).run(body)
    if status != ExitStatus.done { throw ExitCode(status) }
  }
}

/// Which services.
struct ServiceArguments: ParsableArguments {
  @Argument(help: "Names or patterns (*, ?, […]) of services.", completion: .custom(ServiceNames.complete))
  var names: [String] = []

  @Flag(help: "Every service.")
  var all = false
}
