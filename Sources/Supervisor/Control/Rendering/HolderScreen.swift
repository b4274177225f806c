// "The port is taken": who has it, since when, from where, and what is below it.

/// A holder of an address, or a process below one.
package struct HolderNode: Hashable, Sendable {
  package var pid: Int32
  /// 0 for a holder that is below no other.
  package var depth: Int
  package var command: String
  package var user: String
  /// The terminal or the unit; "" when neither is known.
  package var origin: String
  /// Seconds since it was started.
  package var age: Double
  /// False for a descendant that has no descriptor of it.
  package var holds: Bool

  package init(
    pid: Int32, depth: Int, command: String, user: String, origin: String, age: Double, holds: Bool
  ) {
    self.pid = pid
    self.depth = depth
    self.command = command
    self.user = user
    self.origin = origin
    self.age = age
    self.holds = holds
  }
}

package enum HolderScreen {
  /// More processes are only counted.
  private static let mostShown = 12
  private static let deepestIndentation = 8

  /// One line a process, indented by descent: `18011  flask run  since 2 h, pts/3`.
  package static func lines(_ nodes: [HolderNode], style: TerminalStyle = .plain) -> [String] {
    var table = TextTable(indentation: 2)
    for node in nodes.prefix(mostShown) {
      let indentation = String(repeating: "  ", count: min(node.depth, deepestIndentation))
      let command = Text.shortenedCommand(ProcessTable.printable(node.command))
      let paint = node.holds ? style.bold : style.dim
      table.append([
        .init("\(node.pid)"), .init(indentation + command, paint: paint), .init(remark(node)),
      ])
    }
    let more = nodes.count - mostShown
    return table.lines + (more > 0 ? ["  and \(more) more"] : [])
  }

  private static func remark(_ node: HolderNode) -> String {
    var parts = ["since \(Text.age(node.age))"]
    if !node.origin.isEmpty { parts.append(node.origin) }
    parts.append("user \(node.user)")
    if !node.holds { parts.append("does not hold it") }
    return parts.joined(separator: ", ")
  }
}
