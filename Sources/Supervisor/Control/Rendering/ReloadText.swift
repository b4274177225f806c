// What a reload of the configuration came to: the difference, the services, and what was wrong.

package enum ReloadText {
  package static func lines(_ reply: ReloadConfigReply, style: TerminalStyle = .plain) -> [String] {
    var table = TextTable()
    for change in reply.changes {
      let name = change.kind == .daemon ? "[daemon] \(change.name)" : "\(change.kind.rawValue) \(change.name)"
      let keys = change.keys.isEmpty ? "" : ": " + change.keys.joined(separator: ", ")
      table.append([
        .init(name, paint: style.bold), .init(change.change.rawValue + keys), .init(words(change.action)),
      ])
    }
    return table.lines + OutcomeText.lines(OperationReply(outcomes: reply.outcomes), style: style)
      + reply.remarks.map(Text.line) + [last(reply, style)]
  }

  /// "FILE:LINE:COLUMN: error: MESSAGE", as compilers write it.
  package static func lines(_ diagnostics: [CheckReply.Diagnostic]) -> [String] {
    diagnostics.map { one in
      let place = one.line == 0 ? one.file : "\(one.file):\(one.line):\(one.column)"
      return Text.line("\(place): \(one.severity): \(one.message)")
    }
  }

  private static func last(_ reply: ReloadConfigReply, _ style: TerminalStyle) -> String {
    let message = Text.line(reply.message)
    return reply.ok ? message : style.red(message)
  }

  /// Of a column.
  private static func words(_ action: ConfigurationChange.Action) -> String {
    switch action {
    case .apply: "applied in place"
    case .start: "start"
    case .relaunch: "relaunch"
    case .stop: "stop and forget"
    case .open: "open"
    case .openAnew: "close and open anew"
    case .close: "close"
    case .rename: "the listener goes on under another name"
    case .nextStart: "takes effect at the next start of the daemon"
    case .none: "stays as it is"
    }
  }
}
