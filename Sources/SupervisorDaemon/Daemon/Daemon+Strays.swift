// Who is left of a generation, told so that a person understands: what it holds, and how it escaped.

import Supervisor

extension Daemon {
  func strays(of service: Int) -> [Stray] {
    let found = descendants(of: service)
    return found.isEmpty ? [] : describe(found, of: service)
  }

  /// Descriptions of so many are looked up; a report of more than that helps nobody.
  private static let describedStrays = 64

  func describe(_ found: [Descendant], of service: Int) -> [Stray] {
    guard !found.isEmpty else { return [] }
    let held = heldSockets(by: found.prefix(Self.describedStrays).map(\.stat.pid), of: service)
    return found.enumerated().map { index, descendant in
      let pid = descendant.stat.pid
      let name = ProcessTable.printable(descendant.stat.name)
      return Stray(
        identity: descendant.stat.identity,
        command: index < Self.describedStrays ? ProcessTable.command(of: pid) ?? "[\(name)]" : "[\(name)]",
        held: held[pid] ?? [], remark: remark(descendant, of: service))
    }
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
