// The holders of an address with their descendants, as far as /proc tells now.

package enum HolderTree {
  /// Depth first: each holder that is not below another one, and all that are below it.
  package static func of(_ holders: [HolderRecord]) -> [HolderNode] {
    let holding = Set(holders.map(\.pid))
    let users = UserNames.read()
    let roots = holding.sorted().filter { pid in
      !ProcessTable.ancestors(of: pid).contains { holding.contains($0.pid) }
    }
    var nodes: [HolderNode] = []
    for root in roots { append(root, depth: 0, holding, users, to: &nodes) }
    return nodes
  }

  /// Nobody reads more.
  private static let mostNodes = 64

  private static func append(
    _ pid: Int32, depth: Int, _ holding: Set<Int32>, _ users: UserNames, to nodes: inout [HolderNode]
  ) {
    guard nodes.count < mostNodes, let process = ProcessDescription.of(pid, users: users) else { return }
    nodes.append(
      HolderNode(
        pid: pid, depth: depth, command: process.command, user: process.user,
        origin: process.terminal.isEmpty ? process.unit : process.terminal,
        age: process.age.milliseconds / 1000, holds: holding.contains(pid)))
    for child in ProcessTable.children(of: pid) {
      append(child, depth: depth + 1, holding, users, to: &nodes)
    }
  }
}
