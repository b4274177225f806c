// Every listening port with who holds it, one line for each address and kind of process.

package enum ListenersText {
  /// - Parameter width: the columns of the terminal; nil for a pipe, where nothing is cut that a program may look for.
  package static func lines(_ reply: HoldersReply, width: Int? = nil, style: TerminalStyle = .plain)
    -> [String]
  {
    let rows = Self.rows(of: reply.holders)
    let columns = rows.map(columns(of:))
    let titles = ["PROTO", "ADDRESS", "PID", "USER", "AGE", "FROM"]
    let taken = titles.indices.reduce(0) { sum, index in
      sum + 2 + columns.reduce(titles[index].count) { max($0, $1[index].count) }
    }
    let room = width.map { max(shortestCommand, $0 - taken) } ?? longestCommand
    var table = TextTable()
    table.append((titles + ["COMMAND"]).map { .init($0, paint: style.bold) })
    for (row, columns) in zip(rows, columns) {
      table.append(columns.map { .init($0) } + [.init(command(of: row, room))])
    }
    return (rows.isEmpty ? [] : table.lines) + reply.remarks.map { ProcessTable.printable($0) }
  }

  private static let shortestCommand = 12
  private static let longestCommand = 160
  /// Of the names that others choose, in the narrow columns.
  private static let longestName = 18

  /// Processes that look alike: a server and its workers.
  private struct Row {
    var holder: HolderRecord
    var workers: Set<Int32> = []
  }

  /// In the order of the reply; of those that look alike the oldest stands for all.
  private static func rows(of holders: [HolderRecord]) -> [Row] {
    var rows: [Row] = []
    var index: [[String]: Int] = [:]
    for holder in holders {
      let key = [holder.address, holder.user, holder.command, holder.service ?? ""]
      guard let at = index[key] else {
        index[key] = rows.count
        rows.append(Row(holder: holder))
        continue
      }
      if holder.pid == rows[at].holder.pid { continue }
      let isOlder = (holder.age, -holder.pid) > (rows[at].holder.age, -rows[at].holder.pid)
      rows[at].workers.insert(isOlder ? rows[at].holder.pid : holder.pid)
      if isOlder { rows[at].holder = holder }
    }
    return rows
  }

  private static func columns(of row: Row) -> [String] {
    let holder = row.holder
    let isUDP = holder.address.hasPrefix("udp:")
    let service = holder.service.map { name in holder.generation.map { "\(name) #\($0)" } ?? name }
    let origin = service ?? (holder.origin.isEmpty ? "-" : holder.origin)
    return [
      isUDP ? "udp" : "tcp", isUDP ? String(holder.address.dropFirst(4)) : holder.address, "\(holder.pid)",
      Text.shortened(holder.user, to: longestName), Text.age(holder.age),
      Text.shortened(origin, to: longestName),
    ].map { ProcessTable.printable($0) }
  }

  private static func command(of row: Row, _ room: Int) -> String {
    let more = row.workers.isEmpty ? "" : " +\(Text.counted(row.workers.count, "worker"))"
    let command = ProcessTable.printable(row.holder.command)
    return Text.shortenedCommand(command, to: max(shortestCommand, room - more.count)) + more
  }
}
