// The table of the services; below each that is not well, why.

package enum StatusText {
  /// `now`: seconds since 1970.
  package static func lines(_ reply: StatusReply, now: Double, style: TerminalStyle = .plain) -> [String] {
    if reply.services.isEmpty { return ["no services"] }
    var table = TextTable()
    let showsUse = reply.services.contains { $0.cpu != nil }
    let columns = showsUse ? ["MEMORY", "CPU"] : []
    let titles = ["NAME", "STATE", "PID", "GENERATION", "RESTARTS", "SINCE"] + columns + ["LISTENS"]
    table.append(titles.map { .init($0, paint: style.bold) })
    for service in reply.services { table.append(row(service, now, showsUse ? use(of: service) : [], style)) }
    var lines: [String] = []
    for (index, line) in table.lines.enumerated() {
      lines.append(line)
      if index > 0 { lines += remarks(reply.services[index - 1], style) }
    }
    return lines
  }

  private static func use(of service: ServiceStatus) -> [TextTable.Cell] {
    [
      .init(service.memory.map(Text.size) ?? "-"),
      .init(service.cpu.map { Text.duration(milliseconds: Double($0)) } ?? "-"),
    ]
  }

  private static func row(
    _ service: ServiceStatus, _ now: Double, _ use: [TextTable.Cell], _ style: TerminalStyle
  ) -> [TextTable.Cell] {
    let listens = service.sockets + service.ports
    return [
      .init(service.name), .init(service.state.rawValue, paint: style.state(service.state)),
      .init(service.pid.map(String.init) ?? "-"), .init("\(service.generation)"),
      .init("\(service.restarts)"),
      .init(Text.age(now - service.since)),
    ] + use + [.init(listens.isEmpty ? "-" : listens.joined(separator: " "))]
  }

  private static func remarks(_ service: ServiceStatus, _ style: TerminalStyle) -> [String] {
    var lines: [String] = []
    let isWell = service.state == .running
    if let message = service.message, !message.isEmpty {
      lines.append("  " + ProcessTable.printable(message))
    }
    if let retry = service.retryIn, !isWell {
      lines.append("  next launch in \(Text.duration(milliseconds: Double(retry)))")
    }
    if let exit = service.lastExit, !isWell {
      lines.append("  last exit: pid \(exit.pid), \(ProcessTable.printable(exit.text))")
    }
    if let last = service.lastLines, !isWell { lines += OutcomeText.lastLines(last, style) }
    return lines
  }
}
