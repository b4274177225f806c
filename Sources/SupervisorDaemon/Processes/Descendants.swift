// Who is below a process, by /proc/PID/task/TID/children: exact, whatever a descendant did to hide.

import Glibc
import Supervisor

/// A process below a keeper, as one look saw it.
package struct Descendant: Hashable, Sendable {
  package var stat: ProcessStat
  /// 0 for a child of the root.
  package var depth: Int
}

package enum Descendants {
  /// Far more than a service has; a bound for one look at a tree that grows faster than it is read.
  static let limit = 20_000

  /// Tells everybody alive below a root, or from some processes on, each before its children are read.
  ///
  /// Who is stopped when he is told adds no child any more: what is read of him then is complete. A tree that
  /// changes otherwise may be seen in part: callers look again until they find nobody.
  package static func visit(_ roots: Roots, _ visitor: (Descendant) -> Void) {
    var count = 0
    switch roots {
    case .below(let root): visit(ProcessTable.children(of: root), depth: 0, &count, visitor)
    case .including(let pids): visit(pids, depth: 0, &count, visitor)
    }
  }

  /// Where a visit begins.
  package enum Roots: Hashable, Sendable {
    case below(Int32)
    case including([Int32])
  }

  private static func visit(_ pids: [Int32], depth: Int, _ count: inout Int, _ visitor: (Descendant) -> Void)
  {
    for pid in pids where count < limit {
      guard let stat = ProcessTable.stat(of: pid) else { continue }
      // A zombie holds nothing and needs no signal; its children went to the subreaper. But its threads may live.
      let isDead = stat.state == "Z" || stat.state == "X"
      if isDead, !ProcessTable.isAlive(stat.identity) { continue }
      count += 1
      visitor(Descendant(stat: stat, depth: depth))
      if depth < 512 { visit(ProcessTable.children(of: pid), depth: depth + 1, &count, visitor) }
    }
  }
}
