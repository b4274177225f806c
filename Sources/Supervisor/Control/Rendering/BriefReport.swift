// The relaunch report in one line, for a person at a desk who sees one after every change.

package enum BriefReport {
  /// How many strays are named.
  private static let named = 3

  /// "generation 2 is ready in 41 ms; removed sleep 1000 (held 127.0.0.1:5000)".
  package static func line(_ report: RelaunchReport) -> String {
    let time = Text.duration(milliseconds: report.milliseconds)
    var parts = [
      report.pid == nil ? "stopped in \(time)" : "generation \(report.generation) is ready in \(time)"
    ]
    let gone = report.strays.filter { $0.milliseconds != nil }
    if !gone.isEmpty { parts.append("removed " + list(gone)) }
    let left = report.strays.filter { $0.milliseconds == nil }
    if !left.isEmpty { parts.append("still there: " + list(left)) }
    if let queued = report.queued, queued > 0 { parts.append("\(Text.counted(queued, "connection")) waited") }
    parts += report.repaired.map(ProcessTable.printable)
    return parts.joined(separator: "; ")
  }

  private static func list(_ strays: [RelaunchReport.StrayRecord]) -> String {
    let texts = strays.prefix(named).map { stray in
      let held = stray.held.map { $0.split(separator: " ").first.map(String.init) ?? $0 }
      return Text.shortenedCommand(ProcessTable.printable(stray.command))
        + (held.isEmpty ? "" : " (held \(held.joined(separator: ", ")))")
    }
    return texts.joined(separator: ", ") + (strays.count > named ? " and \(strays.count - named) more" : "")
  }
}
