// Who holds what: sockets and their holders.

package enum HoldersText {
  package static func lines(_ reply: HoldersReply, style: TerminalStyle = .plain) -> [String] {
    var lines: [String] = []
    if !reply.holders.isEmpty {
      var table = TextTable()
      let titles = ["PID", "FD", "COMMAND", "USER", "FROM", "AGE", "ADDRESS", "SERVICE"]
      table.append(titles.map { .init($0, paint: style.bold) })
      for holder in reply.holders { table.append(row(holder)) }
      lines += table.lines
    }
    lines += reply.remarks.map { ProcessTable.printable($0) }
    if lines.isEmpty { lines.append("\(ProcessTable.printable(reply.address)): nobody holds it") }
    return lines
  }

  package static func lines(_ reply: SocketsReply, style: TerminalStyle = .plain) -> [String] {
    if reply.sockets.isEmpty { return ["no sockets"] }
    var table = TextTable()
    let titles = ["NAME", "ADDRESS", "INODE", "QUEUED", "ORIGIN", "SERVICES"]
    table.append(titles.map { .init($0, paint: style.bold) })
    for socket in reply.sockets { table.append(row(socket)) }
    var lines: [String] = []
    for (index, line) in table.lines.enumerated() {
      lines.append(line)
      if index > 0 { lines += reply.sockets[index - 1].holders.map { "  " + sentence($0) } }
    }
    return lines
  }

  /// "pid 812 redis-server *:6379 as fd 6 (user redis, redis.service, for 3 h 2 m)".
  package static func sentence(_ holder: HolderRecord) -> String {
    var about = ["user \(holder.user)"]
    if let service = holder.service {
      about.append(holder.generation.map { "\(service), generation \($0)" } ?? service)
    } else if !holder.origin.isEmpty {
      about.append(holder.origin)
    }
    about.append("for \(Text.age(holder.age))")
    let command = Text.shortenedCommand(holder.command)
    let text = "pid \(holder.pid)  \(command)  as fd \(holder.fd) (\(about.joined(separator: ", ")))"
    return ProcessTable.printable(text)
  }

  private static func row(_ holder: HolderRecord) -> [TextTable.Cell] {
    let service = holder.service.map { name in holder.generation.map { "\(name) #\($0)" } ?? name } ?? "-"
    let command = Text.shortenedCommand(ProcessTable.printable(holder.command))
    return [
      .init("\(holder.pid)"), .init("\(holder.fd)"), .init(command), .init(holder.user),
      .init(holder.origin.isEmpty ? "-" : holder.origin), .init(Text.age(holder.age)), .init(holder.address),
      .init(service),
    ]
  }

  private static func row(_ socket: SocketStatus) -> [TextTable.Cell] {
    let queued = socket.queued.map { count in socket.limit.map { "\(count)/\($0)" } ?? "\(count)" } ?? "-"
    let services = socket.services.isEmpty ? "-" : socket.services.joined(separator: " ")
    return [
      .init(socket.name), .init(socket.address), .init(socket.inode == 0 ? "-" : "\(socket.inode)"),
      .init(queued),
      .init(socket.origin), .init(services),
    ]
  }
}
