// Who of a generation only inherited a listener: told before it hurts. Pure.

import Supervisor

/// One process of a generation, as one look saw it.
package struct ListenerHolder: Hashable, Sendable {
  package var pid: Int32
  package var parent: Int32
  /// Identifies the file that it executes; nil when that can't be read.
  package var program: String?
  /// It has a descriptor of a listener of its service.
  package var holds: Bool
  /// It waits for connections there, or that can't be told.
  package var uses: Bool

  package init(pid: Int32, parent: Int32, program: String?, holds: Bool, uses: Bool) {
    self.pid = pid
    self.parent = parent
    self.program = program
    self.holds = holds
    self.uses = uses
  }
}

package enum ListenerLeak {
  /// The processes that hold a listener and have no use for it: what would keep the port when the service is gone.
  ///
  /// Not among them: the main process; workers, who execute the same program as it or as somebody who serves; and
  /// those above one who serves, such as a shell that waits for it. While nobody serves yet nobody is to blame.
  package static func find(in tree: [ListenerHolder], main: Int32?) -> Set<Int32> {
    let serving = tree.filter { $0.holds && $0.uses }
    guard !serving.isEmpty else { return [] }
    let mainProgram = tree.first { $0.pid == main }?.program
    let programs = Set(serving.compactMap(\.program) + [mainProgram].compactMap(\.self))
    let parents = Dictionary(tree.map { ($0.pid, $0.parent) }) { first, _ in first }
    var innocent: Set<Int32> = []
    for process in serving {
      var pid = process.pid
      while innocent.insert(pid).inserted, let parent = parents[pid] { pid = parent }
    }
    if let main { innocent.insert(main) }
    return Set(
      tree.filter { process in
        guard process.holds, !process.uses, !innocent.contains(process.pid) else { return false }
        return process.program.map { !programs.contains($0) } ?? false
      }.map(\.pid))
  }
}
