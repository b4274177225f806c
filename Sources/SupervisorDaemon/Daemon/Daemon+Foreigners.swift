// Processes that are not ours: who has a guarded port, and to whom an owned listener was given away.
// Named, never signalled.

import Supervisor

extension Daemon {
  /// Starts the search for those who have the guarded ports of a service.
  func searchOccupants(of service: Int) {
    let inodes = Set(guardedEntries(runtimes[service].definition.ports).joined().map(\.inode))
    search(inodes) { [weak self] result in
      guard let self else { return }
      let pids = Set(result?.holders.map(\.pid) ?? [])
      let occupants = pids.sorted().compactMap { pid in
        ProcessDescription.of(pid).map { process in
          var occupant = Occupant(
            identity: process.identity, description: process.description + self.ownership(of: pid))
          if self.retained(above: pid, of: service) != nil { occupant.standing = .reported }
          return occupant
        }
      }
      self.deliver(.occupantsNamed(occupants), to: service)
    } keep: {
      self.runtimes[service].occupantSearch = $0
    }
  }

  /// " of service db", when a process is below a keeper of ours after all.
  private func ownership(of pid: Int32) -> String {
    owner(of: pid).map { " of service \(self.runtimes[$0].definition.name)" } ?? ""
  }

  func watch(_ occupants: [Occupant], for service: Int) {
    runtimes[service].occupants = occupants.compactMap { occupant in
      do throws(SystemError) {
        return try OccupantWatch(occupant.identity, loop: loop) { [weak self] in
          self?.deliver(.occupantExited, to: service)
        }
      } catch {
        // It is gone already, or can't be watched: the slow timer looks in any case.
        return nil
      }
    }
  }

  /// A listener may have been given to a process that is no descendant (SCM_RIGHTS): no proof of ours covers
  /// that.
  ///
  /// It is looked for once things have calmed down after a relaunch, never before it.
  func lookForStrangersSoon(_ service: Int) {
    let runtime = runtimes[service]
    guard generation(of: service) > 1, !runtime.definition.sockets.isEmpty else { return }
    do throws(SystemError) {
      runtime.strangerTimer = try loop.timer(at: Clock.now() + Self.strangerDelay, priority: .logs) {
        [weak self] in
        runtime.strangerTimer = nil
        self?.lookForStrangers(service)
      }
    } catch {
      report([error], for: runtime)
    }
  }

  private func lookForStrangers(_ service: Int) {
    let runtime = runtimes[service]
    let listeners = runtime.definition.sockets.flatMap { sockets.listeners(of: $0) }
    let names = Dictionary(listeners.map { ($0.inode, $0.address.description) }) { first, _ in first }
    search(Set(names.keys)) { [weak self] result in
      guard let self, let result else { return }
      let foreign = result.holders.filter { self.isForeign($0.pid, toSocketsOf: service) }
      runtime.strangers = foreign.compactMap { holder in
        ProcessDescription.of(holder.pid).map {
          "\($0.description)\(self.ownership(of: holder.pid)) holds \(names[holder.inode] ?? "?") "
            + "as fd \(holder.fd), and was not given it by us"
        }
      }
      for line in runtime.strangers { self.log(.warning, .strangerHolds, service: service, line) }
    } keep: {
      runtime.strangerSearch = $0
    }
  }

  /// Neither the daemon nor below a service that is given one of these sockets; PID 1, or a user's systemd, may hold
  /// what it handed to us.
  private func isForeign(_ pid: Int32, toSocketsOf service: Int) -> Bool {
    if pid == ownPID || pid == 1 || pid == unit.managerPID || orphans().contains(pid) { return false }
    if leftovers.values.contains(where: { $0.keeper.pid == pid }) { return false }
    guard let owner = owner(of: pid) else { return true }
    return Set(runtimes[owner].definition.sockets).isDisjoint(with: runtimes[service].definition.sockets)
  }

  /// Searches the machine; the search lives as long as it is kept.
  func search(
    _ inodes: Set<UInt64>, _ onResult: @escaping (HolderWalkResult?) -> Void, keep: (HolderSearch?) -> Void
  ) {
    guard !inodes.isEmpty else { return onResult(HolderWalkResult(holders: [])) }
    do throws(SystemError) {
      keep(
        try HolderSearch(inodes: inodes, loop: loop, started: { otherChildren[$0] = {} }, onResult: onResult))
    } catch {
      log.log(.warning, "\(error)")
      onResult(nil)
    }
  }
}
