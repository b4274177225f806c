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

  /// Everybody alive below the roots, depth first, parents before their children.
  ///
  /// A tree that changes meanwhile may be seen in part: callers look again until they find nobody.
  package static func below(_ roots: [Int32]) -> [Descendant] {
    var found: [Descendant] = []
    for root in roots { collect(ProcessTable.children(of: root), depth: 0, into: &found) }
    return found
  }

  /// These processes and everybody alive below them.
  package static func including(_ roots: [Int32]) -> [Descendant] {
    var found: [Descendant] = []
    collect(roots, depth: 0, into: &found)
    return found
  }

  private static func collect(_ pids: [Int32], depth: Int, into found: inout [Descendant]) {
    for pid in pids where found.count < limit {
      guard let stat = ProcessTable.stat(of: pid) else { continue }
      // A zombie holds nothing and needs no signal; its children went to the subreaper. But its threads may live.
      let isDead = stat.state == "Z" || stat.state == "X"
      if isDead, !ProcessTable.isAlive(stat.identity) { continue }
      found.append(Descendant(stat: stat, depth: depth))
      if depth < 512 { collect(ProcessTable.children(of: pid), depth: depth + 1, into: &found) }
    }
  }
}
