// The relaunch report as people read it.

package enum ReportText {
  /// "app: generation 4 is ready, pid 18311, 12 ms"; for a stop "app: stopped, 9 ms".
  package static func headline(_ report: RelaunchReport) -> String {
    let time = Text.duration(milliseconds: report.milliseconds)
    let name = ProcessTable.printable(report.service)
    guard let pid = report.pid else { return "\(name): stopped, \(time)" }
    return "\(name): generation \(report.generation) is ready, pid \(pid), \(time)"
  }

  /// The lines below the headline, indented by two.
  package static func details(_ report: RelaunchReport, style: TerminalStyle = .plain) -> [String] {
    let rows = processes(report)
    let pidWidth = rows.map(\.pid.count).max() ?? 0
    let subjects = rows.map { row in
      padded(row.pid, pidWidth) + (row.command.isEmpty ? "" : "  " + row.command)
    }
    var table = TextTable(indentation: 2)
    for (row, subject) in zip(rows, subjects) {
      let paint = { (text: String) in row.isBad ? style.red(text) : style.dim(text) }
      table.append([.init(padded(row.label, labelWidth), paint: paint), .init(subject), .init(row.outcome)])
    }
    for address in report.verified {
      table.append([
        .init(padded("verified", labelWidth), paint: style.green), .init(address.address),
        .init(address.finding),
      ])
    }
    var lines = table.lines
    if let queued = report.queued, queued > 0 {
      lines.append(
        "  \(style.dim("queued"))    \(Text.counted(queued, "connection")) waited in the backlog, none was refused"
      )
    }
    for repair in report.repaired {
      lines.append("  \(style.yellow("repaired"))  \(ProcessTable.printable(repair))")
    }
    return lines
  }

  /// As wide as "verified" and "repaired".
  private static let labelWidth = 8

  private struct Row {
    var label: String
    var pid: String
    var command: String
    var outcome: String
    var isBad = false
  }

  private static func processes(_ report: RelaunchReport) -> [Row] {
    var rows: [Row] = []
    if let stopped = report.stopped {
      rows.append(
        Row(
          label: "stopped", pid: "\(stopped.pid)", command: command(stopped.command),
          outcome: outcome(stopped)))
    }
    for stray in report.strays {
      rows.append(
        Row(
          label: stray.fate?.rawValue ?? "stray", pid: "\(stray.pid)", command: command(stray.command),
          outcome: outcome(stray),
          isBad: stray.milliseconds == nil && stray.fate == nil))
    }
    return rows
  }

  private static func command(_ text: String) -> String {
    Text.shortenedCommand(ProcessTable.printable(text))
  }

  private static func outcome(_ stopped: RelaunchReport.StoppedProcess) -> String {
    // Without a signal it ended by itself, and there was nothing to wait for.
    guard !stopped.signals.isEmpty else { return stopped.outcome }
    let signals = stopped.signals.joined(separator: ", ")
    if stopped.outcome == stopped.signals.last {
      return "\(signals), which ended it after \(Text.duration(milliseconds: stopped.milliseconds))"
    }
    return "\(signals), \(stopped.outcome) after \(Text.duration(milliseconds: stopped.milliseconds))"
  }

  private static func outcome(_ stray: RelaunchReport.StrayRecord) -> String {
    var parts: [String] = []
    if !stray.held.isEmpty { parts.append("held " + stray.held.joined(separator: ", ")) }
    if !stray.remark.isEmpty { parts.append(stray.remark) }
    if let fate = stray.fate { return (parts + life(stray, fate)).joined(separator: "; ") }
    let end = stray.milliseconds.map { "gone after \(Text.duration(milliseconds: $0))" } ?? "still there"
    parts.append((stray.signals + [end]).joined(separator: ", "))
    return parts.joined(separator: "; ")
  }

  private static func life(
    _ stray: RelaunchReport.StrayRecord, _ fate: RelaunchReport.StrayRecord.Fate
  ) -> [String] {
    let taken = stray.taken ?? []
    let lives = fate == .reported && !stray.held.isEmpty ? "it lives on, and keeps that" : "it lives on"
    guard !taken.isEmpty else { return [lives] }
    let what =
      taken == stray.held.map { $0.split(separator: " ").first.map(String.init) ?? $0 }
      ? "the port was taken from it" : "\(taken.joined(separator: ", ")) was taken from it"
    return [what, lives]
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: width - text.count)
  }
}
