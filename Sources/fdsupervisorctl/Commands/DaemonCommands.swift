// The verbs about the daemon itself.

import ArgumentParser
import Glibc
import Supervisor

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Try what holds on this machine.")
  @OptionGroup var shared: SharedOptions

  func run() throws {
    try shared.run { session throws(Failure) in
      let reply = try session.call(.doctor, NoParameters())
      let findings = try Session.decode(reply, DoctorReply.self).findings
      try session.show(reply, as: DoctorReply.self) { TreeText.lines($0, style: session.style) }
      return findings.allSatisfy(\.ok) ? ExitStatus.done : ExitStatus.failed
    }
  }
}

struct ReloadConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload-config",
    abstract: "Read the configuration again and apply what is different; a wrong one changes nothing.")
  @OptionGroup var shared: SharedOptions
  @Flag(help: "Say what would be done, and do nothing.")
  var dryRun = false

  func run() throws {
    try shared.run { session throws(Failure) in
      let progress = ProgressLine(for: session)
      let reply = try session.call(
        .reloadConfig, ReloadConfigParameters(dryRun: dryRun ? true : nil), onProgress: progress?.show)
      progress?.clear()
      let result = try Session.decode(reply, ReloadConfigReply.self)
      if session.format == .json {
        Output.print(json: reply.parameters)
      } else {
        let diagnostics = ReloadText.lines(result.diagnostics)
        if !diagnostics.isEmpty {
          Output.write(diagnostics.joined(separator: "\n") + "\n", to: STDERR_FILENO)
        }
        Output.print(ReloadText.lines(result, style: session.style))
      }
      return result.ok && result.outcomes.allSatisfy(\.ok) ? ExitStatus.done : ExitStatus.failed
    }
  }
}

struct ReexecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reexec",
    abstract: "Let the installed program take the place of the running daemon; services and sockets stay.",
    discussion: """
      The configuration stays as it was loaded; reload-config takes what was changed. A program that cannot take \
      over leaves the daemon as it is.
      """)
  @OptionGroup var shared: SharedOptions

  func run() throws {
    try shared.run { session throws(Failure) in
      let reply = try session.call(.reexec, NoParameters())
      try session.show(reply, as: ReexecReply.self) { [$0.text] }
      return ExitStatus.done
    }
  }
}

struct ShutdownCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shutdown", abstract: "Tell the daemon to stop every service in order, and to end.")
  @OptionGroup var shared: SharedOptions

  func run() throws {
    try shared.run { session throws(Failure) in
      let reply = try session.call(.shutdown, NoParameters())
      if session.format == .json { Output.print(json: reply.parameters) }
      return ExitStatus.done
    }
  }
}

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check a configuration, as the daemon beside this program reads it.")
  @OptionGroup var shared: SharedOptions
  @Option(help: "The file; else the daemon's standard place.", completion: .file(extensions: ["toml"]))
  var config: String?

  func run() throws {
    try shared.run { session throws(Failure) in
      var arguments = ["fdsupervisord", "--check"]
      if session.format == .json { arguments.append("--json") }
      if let config { arguments += ["--config", config] }
      throw Self.become(try Self.besideThis("fdsupervisord"), arguments)
    }
  }

  /// A program in the folder of this one, /proc/self/exe (proc(5)).
  private static func besideThis(_ name: String) throws(Failure) -> String {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &path, path.count)
    guard length > 0, length < path.count else {
      throw Failure(ExitStatus.failed, SystemError("read where this program is").description)
    }
    let own = String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return (own.lastIndex(of: "/").map { String(own[...$0]) } ?? "") + name
  }

  /// execv(3); it returns only when it fails, with why.
  private static func become(_ program: String, _ arguments: [String]) -> Failure {
    let copies = arguments.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    execv(program, copies + [nil])
    let error = SystemError("execute", program)
    return Failure(ExitStatus.failed, "\(error); it has to lie beside this program")
  }
}
