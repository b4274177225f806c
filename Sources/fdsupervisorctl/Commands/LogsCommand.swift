// The last lines of a service, and those that come.

import ArgumentParser
import Supervisor

struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs", abstract: "Show the last lines of a service.")
  @OptionGroup var shared: SharedOptions
  @Flag(name: .shortAndLong, help: "Go on with every line that comes.")
  var follow = false
  @Option(name: [.customShort("n"), .long], help: "How many of the last lines.")
  var lines = 10
  @Argument(help: "The service.", completion: .custom(ServiceNames.complete))
  var name: String

  func run() throws {
    try shared.run { session throws(Failure) in
      if lines < 0 { throw Failure(ExitStatus.usage, "--lines \(lines) is negative") }
      _ = try Selection([name], all: false)
      let parameters = LogsParameters(name: name, lines: lines, follow: follow ? true : nil)
      let show = { (reply: ControlClient.Reply) in Self.show(reply, session) }
      show(try session.call(.logs, parameters, onProgress: follow ? show : nil))
      return ExitStatus.done
    }
  }

  private static func show(_ reply: ControlClient.Reply, _ session: Session) {
    if session.format == .json { return Output.print(json: reply.parameters) }
    do throws(ControlClientError) {
      Output.print(try reply.decode(LogsReply.self).lines.map { Text.line($0) })
    } catch { Output.complain(error.description) }
  }
}
