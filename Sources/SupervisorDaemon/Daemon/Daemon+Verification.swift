// The look before a launch and after a stop: listeners whole, owned sockets held by nobody, guarded ports free.

import Supervisor

extension Daemon {
  func verify(_ service: Int) -> Verification {
    let definition = runtimes[service].definition
    let listeners = definition.sockets.flatMap { sockets.listeners(of: $0) }
    let repaired = listeners.flatMap { $0.prepareForLaunch() }
    for remark in repaired { log(.warning, .listenerRepaired, service: service, remark) }
    // One that was opened anew is not in the descriptor store yet.
    if !repaired.isEmpty { keepListeners() }
    var result = Verification(.clear, repaired: repaired)
    if let finding = occupyingAbandoned(service) ?? holdingOrphans(listeners) ?? leftover(of: service)
      ?? holdingRetained(of: service)
    {
      result.verdict = .occupied(finding)
    }
    let entries = ownedEntries(listeners)
    // Each of ours once: overlapping addresses show one listener twice, and a neighbour's queue is not ours.
    result.queued = listeners.compactMap { listener in
      entries.first { $0.inode == listener.inode }?.queued
    }.reduce(nil) { ($0 ?? 0) + $1 }
    result.addresses =
      listeners.map { owned($0, of: service, in: entries) } + guarded(definition.ports, &result.verdict)
    return result
  }

  /// Cross-check of the keeper's word: whoever is below the daemon, but below no keeper, must not hold a listener.
  private func holdingOrphans(_ listeners: [Listener]) -> String? {
    let orphans = orphans()
    guard !orphans.isEmpty, !listeners.isEmpty else { return nil }
    var living: [Descendant] = []
    Descendants.visit(.including(orphans)) { living.append($0) }
    let held: [HolderEntry]
    do throws(SystemError) {
      held = try HolderWalk.run(inodes: listeners.map(\.inode), in: .processes(living.map(\.stat.pid)))
        .holders
    } catch {
      return "cannot tell whether an orphan holds its socket: \(error)"
    }
    guard let holder = held.first else { return nil }
    let holding = Set(held.map(\.pid))
    let sweeper = Sweeper(loop: loop) { _ in }
    let refusals = sweeper.killAll(main: nil) { visitor in
      Descendants.visit(.including(orphans)) { if holding.contains($0.stat.pid) { visitor($0) } }
    }.refusals
    withExtendedLifetime(sweeper) {}
    for error in refusals.values { log.log(.warning, "\(error)") }
    let command = ProcessTable.command(of: holder.pid) ?? "?"
    return
      "an orphan, pid \(holder.pid) \"\(command)\", held its socket and is being killed; the port is taken"
  }

  private func ownedEntries(_ listeners: [Listener]) -> [ListenerEntry] {
    let tcp = listeners.filter { $0.address.accepts }
    guard !tcp.isEmpty else { return [] }
    do throws(SystemError) {
      return try socketTable.listeners(onAnyOf: tcp.map(\.address)).flatMap { $0 }
    } catch {
      log.log(.warning, "\(error)")
      return []
    }
  }

  private func owned(
    _ listener: Listener, of service: Int, in entries: [ListenerEntry]
  ) -> RelaunchReport.VerifiedAddress {
    let others = entries.filter { $0.inode != listener.inode && $0.address.overlaps(listener.address) }
      .filter { entry in !sockets.all.contains { $0.inode == entry.inode } }
    var finding = ["no descendant holds it"]
    let sharing = sharers(of: listener.socket, besides: service)
    if !sharing.isEmpty {
      finding = [
        "no descendant of this service holds it; \(sharing.joined(separator: ", ")) may, who shares it"
      ]
    }
    if !others.isEmpty {
      let listed = others.map { "\($0.address) (inode \($0.inode))" }.joined(separator: ", ")
      finding.append("beside it, somebody else listens on \(listed)")
    }
    return .init(
      address: listener.address.description, kind: .owned, finding: finding.joined(separator: "; "))
  }

  /// The services that are given the same socket and are not at rest.
  private func sharers(of socket: String, besides service: Int) -> [String] {
    runtimes.indices.filter {
      $0 != service && runtimes[$0].definition.sockets.contains(socket) && !graph.machines[$0].isAtRest
    }.map { "service \(runtimes[$0].definition.name)" }
  }

  private func guarded(
    _ ports: [SocketAddress], _ verdict: inout Verification.Verdict
  ) -> [RelaunchReport.VerifiedAddress] {
    guard !ports.isEmpty else { return [] }
    return PortVerification(table: socketTable).check(guarded: ports).map { finding in
      let text = finding.address.description
      switch finding.verdict {
      case .free: return .init(address: text, kind: .guarded, finding: "free")
      case .taken(let entries):
        let how = entries.isEmpty ? "bound" : "taken"
        verdict = .occupied("\(text) is \(how)")
        return .init(address: text, kind: .guarded, finding: how)
      case .unknown(let reason):
        verdict = .occupied("cannot tell whether \(text) is free: \(reason)")
        return .init(address: text, kind: .guarded, finding: "unknown: \(reason)")
      }
    }
  }

  /// Readiness `listen`: each guarded port listens, in a descendant.
  func portsListening(of service: Int) -> ServiceEvent.PortsListening {
    let ports = runtimes[service].definition.ports
    let entries = guardedEntries(ports)
    guard !ports.isEmpty, entries.allSatisfy({ !$0.isEmpty }) else { return .notYet }
    let pids = descendants(of: service).map(\.stat.pid)
    let inodes = Set(holders(of: Set(entries.joined().map(\.inode)), among: pids).map(\.inode))
    return entries.allSatisfy { $0.contains { inodes.contains($0.inode) } } ? .all : .notYet
  }

  /// Who listens on each of the addresses; what can't be read is logged and counts as nobody, for messages only.
  func guardedEntries(_ ports: [SocketAddress]) -> [[ListenerEntry]] {
    do throws(SystemError) {
      return try socketTable.listeners(onAnyOf: ports)
    } catch {
      log.log(.warning, "\(error)")
      return ports.map { _ in [] }
    }
  }

  /// Who of these processes holds one of the sockets; what can't be read is logged, for messages only.
  func holders(of inodes: Set<UInt64>, among pids: [Int32]) -> [HolderEntry] {
    guard !inodes.isEmpty, !pids.isEmpty else { return [] }
    do throws(SystemError) {
      return try HolderWalk.run(inodes: inodes, in: .processes(pids)).holders
    } catch {
      log.log(.warning, "\(error)")
      return []
    }
  }
}
