// The processes of a service, indented by descent; and what `doctor` found.

package enum TreeText {
  package static func lines(_ reply: TreeReply, style: TerminalStyle = .plain) -> [String] {
    reply.trees.flatMap { lines($0, style) }
  }

  package static func lines(_ reply: DoctorReply, style: TerminalStyle = .plain) -> [String] {
    var table = TextTable()
    for finding in reply.findings {
      let paint = { (text: String) in finding.ok ? style.green(text) : style.red(text) }
      table.append([
        .init(finding.ok ? "ok" : "no", paint: paint), .init(finding.name), .init(finding.message),
      ])
    }
    return table.lines
  }

  private static func lines(_ tree: ServiceTree, _ style: TerminalStyle) -> [String] {
    let keeper = tree.keeper.map { ", keeper \($0)" } ?? ""
    let standing = tree.retained == true ? ", which is over: its strays live on" : ""
    let name = ProcessTable.printable(tree.service)
    if tree.processes.isEmpty { return [style.bold("\(name):") + " no processes"] }
    var table = TextTable(indentation: 2)
    for process in tree.processes {
      let indentation = String(repeating: "  ", count: max(0, min(process.depth, 32)))
      table.append([
        .init("\(process.pid)"), .init(process.state),
        .init(indentation + Text.shortenedCommand(ProcessTable.printable(process.command))),
        .init(process.user), .init(Text.age(process.age)), .init(process.holds.joined(separator: ", ")),
        .init(process.leaks == true ? "only inherited" : "", paint: style.red),
      ])
    }
    return [style.bold("\(name):") + " generation \(tree.generation)\(keeper)\(standing)"] + table.lines
  }
}
