// Who is left of a generation, told so that a person understands: what it holds, and how it escaped.

import Glibc
import Supervisor

extension Daemon {
  func strays(of service: Int) -> [Stray] {
    var found: [Descendant] = []
    if let roots = roots(of: service) {
      Descendants.visit(roots) {
        found.append($0)
        if found.count == Sweeper.crowd { sweeper(of: service).hasten() }
      }
    }
    return found.isEmpty ? [] : describe(found, of: service)
  }

  /// Of so many it is looked up what they are and hold; a report of more than that helps nobody.
  private static let describedStrays = 64

  func describe(_ found: [Descendant], of service: Int) -> [Stray] {
    let runtime = runtimes[service]
    let room = max(0, Self.describedStrays - runtime.describedStrays.count)
    let new = found.filter { runtime.describedStrays[$0.stat.identity] == nil }.prefix(room)
    let held = new.isEmpty ? [:] : heldSockets(by: new.map(\.stat.pid), of: service)
    for descendant in new {
      let pid = descendant.stat.pid
      var stray = outline(descendant, of: service)
      if let command = ProcessTable.command(of: pid) { stray.command = command }
      stray.held = held[pid] ?? []
      runtime.describedStrays[descendant.stat.identity] = stray
    }
    if runtime.definition.maySpare { describeUse(by: found, new, of: runtime) }
    return found.map { runtime.describedStrays[$0.stat.identity] ?? outline($0, of: service) }
  }

  /// What the new ones do at owned listeners, and those of whom that was not clear.
  private func describeUse(
    by found: [Descendant], _ new: some Sequence<Descendant>, of runtime: ServiceRuntime
  ) {
    let unclear = found.map(\.stat.identity).filter { runtime.describedStrays[$0]?.use == .unclear }
    let identities = unclear + new.map(\.stat.identity)
    for (pid, finding) in useOfOwned(among: identities.map(\.pid)) {
      guard let identity = identities.first(where: { $0.pid == pid }) else { continue }
      switch finding {
      case .doesNot: runtime.describedStrays[identity]?.use = .none
      case .runs: runtime.describedStrays[identity]?.use = .unclear
      case .waits:
        runtime.describedStrays[identity]?.use = .accepts
        runtime.describedStrays[identity]?.remark += ", accepts there"
      }
    }
  }

  /// What its stat file says: enough for one of thousands.
  private func outline(_ descendant: Descendant, of service: Int) -> Stray {
    var stray = Stray(
      identity: descendant.stat.identity, command: "[\(ProcessTable.printable(descendant.stat.name))]",
      remark: remark(descendant, of: service))
    stray.parent = descendant.stat.parent
    let patterns = runtimes[service].definition.strayAllow
    stray.isAllowed =
      !patterns.isEmpty
      && ProcessTable.names(of: descendant.stat).contains { name in
        patterns.contains { fnmatch($0, name, 0) == 0 }
      }
    return stray
  }

  /// "127.0.0.1:22222 as fd 4", for each process and each owned or guarded address.
  func heldSockets(by pids: [Int32], of service: Int) -> [Int32: [String]] {
    var names: [UInt64: String] = [:]
    for listener in sockets.all { names[listener.inode] = listener.address.description }
    let ports = runtimes[service].definition.ports
    if !ports.isEmpty {
      for entries in guardedEntries(ports) {
        for entry in entries { names[entry.inode] = entry.address.description }
      }
    }
    guard !names.isEmpty else { return [:] }
    var result: [Int32: [String]] = [:]
    for holder in holders(of: Set(names.keys), among: pids) {
      result[holder.pid, default: []].append("\(names[holder.inode] ?? "?") as fd \(holder.fd)")
    }
    return result
  }

  private func remark(_ descendant: Descendant, of service: Int) -> String {
    let main = runtimes[service].main?.pidfd.pid
    var facts: [String] = []
    if descendant.depth == 0 {
      facts.append("its parent was gone")
    } else {
      facts.append("below pid \(descendant.stat.parent)")
    }
    if let main, descendant.stat.session != main { facts.append("in a session of its own") }
    switch descendant.stat.state {
    case "T": facts.append("stopped")
    case "t": facts.append("traced")
    case "D": facts.append("in uninterruptible sleep")
    default: break
    }
    return facts.joined(separator: ", ")
  }
}
