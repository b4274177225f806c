// Descendants that inherited a listener and have no use for it: named while the service still runs.

import Glibc
import Supervisor

extension Daemon {
  /// Looks a few times in the life of a generation, and no more.
  ///
  /// The kernel tells nobody that a descriptor was inherited, and an idle daemon makes no system call.
  func lookForLeaks(of service: Int, after delays: [Duration]) {
    let runtime = runtimes[service]
    let hasListener = !(runtime.definition.sockets.isEmpty && runtime.definition.ports.isEmpty)
    guard let delay = delays.first, hasListener else { return }
    do throws(SystemError) {
      runtime.leakTimer = try loop.timer(at: Clock.now() + delay, priority: .logs) { [weak self] in
        runtime.leakTimer = nil
        guard let self else { return }
        if !runtime.saidLeak { self.warnOfLeaks(of: service) }
        // Who lives on of an earlier generation may have been about to accept.
        if let ended = self.endAcceptingRetained(of: service) {
          self.log(.warning, .straySwept, service: service, ended)
        }
        if !runtime.saidLeak || !runtime.retained.isEmpty {
          self.lookForLeaks(of: service, after: Array(delays.dropFirst()))
        }
      }
    } catch {
      report([error], for: runtime)
    }
  }

  private func warnOfLeaks(of service: Int) {
    let runtime = runtimes[service]
    guard case .running = graph.machines[service].state else { return }
    let found = descendants(of: service)
    let leaking = leaks(in: found, of: service)
    guard let first = found.first(where: { leaking.contains($0.stat.pid) }) else { return }
    runtime.saidLeak = true
    let held = heldSockets(by: [first.stat.pid], of: service)[first.stat.pid] ?? []
    let others = leaking.count > 1 ? ", and \(leaking.count - 1) more," : ""
    let parent = first.stat.parent
    log(
      .warning, service: service,
      "pid \(first.stat.pid) \"\(command(of: first.stat.pid))\"\(others) inherited \(held.joined(separator: ", "))"
        + " and has no use for it; started by pid \(parent) \"\(command(of: parent))\". It would keep the port; it is"
        + " removed before the next launch. Have the descriptor closed on exec, or set pass = \"intercept\"")
  }

  private func command(of pid: Int32) -> String { ProcessTable.command(of: pid) ?? "?" }

  /// The descendants that hold a listener of their service for nothing, as far as /proc tells.
  func leaks(in found: [Descendant], of service: Int) -> Set<Int32> {
    guard found.count > 1 else { return [] }
    let definition = runtimes[service].definition
    let owned = definition.sockets.flatMap { sockets.listeners(of: $0) }.filter(\.isOpen).map(\.inode)
    let guarded = definition.ports.isEmpty ? [] : guardedEntries(definition.ports).joined().map(\.inode)
    let inodes = Set(owned + guarded)
    var descriptors: [Int32: Set<Int32>] = [:]
    for holder in holders(of: inodes, among: found.map(\.stat.pid)) {
      descriptors[holder.pid, default: []].insert(holder.fd)
    }
    guard descriptors.count > 1 else { return [] }
    let tree = found.map { descendant in
      let pid = descendant.stat.pid
      let held = descriptors[pid] ?? []
      return ListenerHolder(
        pid: pid, parent: descendant.stat.parent, program: ProcessTable.program(of: pid),
        holds: !held.isEmpty,
        uses: !held.isEmpty && ListenerUse.isPossible(in: pid, on: held))
    }
    return ListenerLeak.find(in: tree, main: runtimes[service].main?.pidfd.pid)
  }
}
