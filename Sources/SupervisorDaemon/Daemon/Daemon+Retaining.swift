// Strays that live on: their ports are taken from them, and the keepers above them are kept until they end.

import Glibc
import Supervisor

extension Daemon {
  /// Takes the guarded ports of a service from each of these.
  func takePorts(from strays: [Stray], of service: Int) -> [Parting] {
    let ports = runtimes[service].definition.ports
    guard !ports.isEmpty else { return strays.map { Parting($0.identity, .parted([])) } }
    let names: [UInt64: SocketAddress]
    let held: [HolderEntry]
    do throws(SystemError) {
      names = try guardedSockets(ports)
      held = try HolderWalk.run(inodes: names.keys, in: .processes(strays.map(\.identity.pid))).holders
    } catch {
      return strays.map {
        Parting($0.identity, .inseparable("cannot tell whether it holds a port: \(error)"))
      }
    }
    return strays.map { stray in
      let own = held.filter { $0.pid == stray.identity.pid }
      return Parting(stray.identity, part(stray.identity, from: own, names))
    }
  }

  /// Listeners and what else keeps the addresses: connections of a server that had not set SO_REUSEADDR do, too.
  private func guardedSockets(_ ports: [SocketAddress]) throws(SystemError) -> [UInt64: SocketAddress] {
    var names: [UInt64: SocketAddress] = [:]
    for (port, listeners) in zip(ports, try socketTable.listeners(onAnyOf: ports)) {
      for entry in try listeners + socketTable.occupants(of: port) where entry.inode != 0 {
        names[entry.inode] = port
      }
    }
    return names
  }

  private func part(
    _ identity: ProcessIdentity, from held: [HolderEntry], _ names: [UInt64: SocketAddress]
  ) -> Parting.Outcome {
    var taken: [String] = []
    for holder in held {
      guard let address = names[holder.inode] else { continue }
      guard case .tcp = address else {
        return .inseparable("\(address) can't be taken from it: only TCP ports can")
      }
      do throws(SystemError) {
        let isTaken = try PortTaking.take(holder.inode, at: holder.fd, from: identity)
        if isTaken, !taken.contains(address.description) { taken.append(address.description) }
      } catch {
        return .inseparable("\(address) can't be taken from it: \(error)")
      }
    }
    return .parted(taken)
  }

  /// What these do at listeners of the daemon that they have, as far as /proc tells.
  func useOfOwned(among pids: [Int32]) -> [Int32: ListenerUse.Finding] {
    var descriptors: [Int32: Set<Int32>] = [:]
    for holder in holders(of: Set(sockets.all.map(\.inode)), among: pids) {
      descriptors[holder.pid, default: []].insert(holder.fd)
    }
    return Dictionary(
      uniqueKeysWithValues: descriptors.map { ($0.key, ListenerUse.find(in: $0.key, on: $0.value)) })
  }

  /// From here on the generation is over: its keeper is kept, and nobody waits for it.
  func retain(_ generation: Int, _ strays: [RelaunchReport.StrayRecord], of service: Int) {
    let runtime = runtimes[service]
    guard let keeper = runtime.keeper, keeper.generation == generation else { return }
    hear(service)
    runtime.log.drainNow()
    runtime.keeperConnection = nil
    runtime.mainSource = nil
    runtime.keeper = nil
    runtime.sweeper = nil
    runtime.main = nil
    keepers[keeper.pid] = nil
    let retained = RetainedGeneration(keeper, strays, runtime.interception.take(), runtime.cgroup.take())
    watch(retained, of: service)
    if shutdown != .notAsked { return endRetained(of: service, because: "the daemon stops") }
    if graph.isRetired(service) {
      endRetained(of: service, because: "the configuration does not have the service any more")
    }
  }

  /// From here on its end is noticed, and it counts among those of its service.
  func watch(_ retained: RetainedGeneration, of service: Int) {
    let keeper = retained.keeper
    retainedKeepers[keeper.pid] = service
    runtimes[service].retained.append(retained)
    do throws(SystemError) {
      retained.source = try loop.watch(keeper.connection, priority: .processes) {
        [weak self, weak retained] events in
        while keeper.receive() != nil {}
        guard events.contains(.hungUp) else { return }
        retained?.source?.cancel()
        // That of a child is reaped, and tells how it ended.
        if !keeper.isChild { self?.retainedEnded(keeper, of: service) }
      }
    } catch {
      report([error], for: runtimes[service])
    }
  }

  func retainedKeeperExited(_ pid: Int32, _ reason: ExitReason, of service: Int) {
    guard let retained = runtimes[service].retained.first(where: { $0.keeper.pid == pid }) else {
      retainedKeepers[pid] = nil
      return
    }
    while retained.keeper.receive() != nil {}
    if !reason.isSuccess { sweepLost(retained, of: service) }
    forget(retained.keeper, of: service)
  }

  private func retainedEnded(_ keeper: Keeper, of service: Int) {
    if !keeper.hasEmptied, let retained = runtimes[service].retained.first(where: { $0.keeper === keeper }) {
      sweepLost(retained, of: service)
    }
    forget(keeper, of: service)
  }

  /// Its tree is empty, or nobody's any more.
  private func forget(_ keeper: Keeper, of service: Int) {
    let runtime = runtimes[service]
    keeper.removeDoor()
    retainedKeepers[keeper.pid] = nil
    if let cgroup = runtime.retained.first(where: { $0.keeper === keeper })?.cgroup {
      if case .failed(let error) = cgroups.remove(cgroup) { report([error], for: runtime) }
    }
    runtime.retained.removeAll { $0.keeper === keeper }
    log.log(
      .info, service: runtime.definition.name, generation: keeper.generation,
      "nobody of generation \(keeper.generation) lives on any more")
    // A port that one of them kept may be free by now.
    deliver(.occupantExited, to: service)
  }

  /// Somebody killed its keeper: nobody could tell any more whose they are, so they go.
  private func sweepLost(_ retained: RetainedGeneration, of service: Int) {
    log.log(
      .error, service: runtimes[service].definition.name, generation: retained.generation,
      "the keeper above strays of generation \(retained.generation) was killed; they are killed, too",
      kind: .keeperLost)
    if let cgroup = retained.cgroup {
      do throws(SystemError) { try cgroup.group.kill() } catch { report([error], for: runtimes[service]) }
    }
    let orphans = orphans()
    let sweeper = Sweeper(loop: loop) { _ in }
    let refusals = sweeper.killAll(main: nil) { Descendants.visit(.including(orphans), $0) }.refusals
    withExtendedLifetime(sweeper) {}
    report(Array(refusals.values), for: runtimes[service])
  }

  /// Their keepers end them, and are forgotten by the service; who launches it again waits for that.
  func endRetained(of service: Int, because reason: String) {
    let runtime = runtimes[service]
    for retained in runtime.retained {
      let keeper = retained.keeper
      let name = "\(runtime.definition.name)/\(keeper.generation)"
      log.log(
        .notice, service: runtime.definition.name, generation: keeper.generation,
        "strays of generation \(keeper.generation) that lived on are ended: \(reason)", kind: .leftoverEnded)
      retainedKeepers[keeper.pid] = nil
      if keeper.isChild { otherChildren[keeper.pid] = {} }
      retained.source?.cancel()
      retained.source = nil
      end(keeper, name, holding: retained)
    }
    runtime.retained = []
  }

  /// Before a launch: who lives on has none of the ports of the next generation; nil when that is so.
  func holdingRetained(of service: Int) -> String? {
    for retained in runtimes[service].retained where !retained.keepsPorts {
      let strays = retained.descendants.map { Stray(identity: $0.stat.identity, command: "") }
      for parting in takePorts(from: strays, of: service) {
        if case .inseparable(let reason) = parting.outcome { return "pid \(parting.identity.pid): \(reason)" }
      }
    }
    return endAcceptingRetained(of: service).map { "\($0); the port is taken" }
  }

  /// SIGKILL for whoever lives on and accepts at an owned socket by now; says whom it was.
  func endAcceptingRetained(of service: Int) -> String? {
    for retained in runtimes[service].retained where !retained.keepsPorts {
      let found = retained.descendants
      let accepting = useOfOwned(among: found.map(\.stat.pid)).filter { $0.value == .waits }.keys
      guard let first = accepting.min() else { continue }
      let command = ProcessTable.command(of: first) ?? "?"
      let sweeper = Sweeper(loop: loop) { _ in }
      let refusals = sweeper.killAll(main: nil) { visitor in
        for descendant in found where accepting.contains(descendant.stat.pid) { visitor(descendant) }
      }.refusals
      withExtendedLifetime(sweeper) {}
      report(Array(refusals.values), for: runtimes[service])
      return
        "pid \(first) \"\(command)\" of generation \(retained.generation), which lived on, accepts at an "
        + "owned socket: SIGKILL"
    }
    return nil
  }

  func retained(above pid: Int32, of service: Int) -> RetainedGeneration? {
    guard let keeper = keeper(above: pid) else { return nil }
    return runtimes[service].retained.first { $0.keeper.pid == keeper }
  }

  /// The current keeper of that number, or one that is retained.
  func keeper(_ pid: Int32) -> (Int, Keeper)? {
    if let service = keepers[pid], let keeper = runtimes[service].keeper { return (service, keeper) }
    guard let service = retainedKeepers[pid] else { return nil }
    return runtimes[service].retained.first { $0.keeper.pid == pid }.map { (service, $0.keeper) }
  }

  /// Whether the daemon need not wait any more for keepers that end those who lived on.
  var leftoversAreDone: Bool {
    if leftovers.values.allSatisfy({ $0.retained == nil }) { return true }
    switch leftoverTimer {
    case .over: return true
    case .armed: return false
    case .unset:
      do throws(SystemError) {
        let timer = try loop.timer(at: Clock.now() + Self.leftoverPatience) { [weak self] in
          self?.leftoverTimer = .over
          self?.afterEvents()
        }
        leftoverTimer = .armed(timer)
        return false
      } catch {
        log.log(.warning, "\(error)")
        return true
      }
    }
  }
}
