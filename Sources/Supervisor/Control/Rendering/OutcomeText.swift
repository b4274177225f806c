// What an operation came to, service by service.

package enum OutcomeText {
  package static func lines(_ reply: OperationReply, style: TerminalStyle = .plain) -> [String] {
    reply.outcomes.flatMap { lines($0, style) }
  }

  private static func lines(_ outcome: OperationReply.Outcome, _ style: TerminalStyle) -> [String] {
    var lines = [headline(outcome, style)]
    if let report = outcome.report { lines += ReportText.details(report, style: style) }
    if let last = outcome.lastLines, !last.isEmpty { lines += lastLines(last, style) }
    return lines
  }

  private static func headline(_ outcome: OperationReply.Outcome, _ style: TerminalStyle) -> String {
    let name = ProcessTable.printable(outcome.service)
    var message = ProcessTable.printable(outcome.message)
    if message.hasPrefix(name + ": ") { message = String(message.dropFirst(name.count + 2)) }
    return style.bold(name + ":") + " " + (outcome.ok ? message : style.red(message))
  }

  /// The last words of a service, set apart from ours.
  static func lastLines(_ lines: [String], _ style: TerminalStyle) -> [String] {
    lines.map { "  " + style.dim("|") + " " + Text.line($0) }
  }
}
