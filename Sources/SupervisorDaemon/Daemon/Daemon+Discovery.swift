// Sockets that are found by themselves: what the program of a service listens on is the daemon's from then on.

import Glibc
import Supervisor

extension Daemon {
  /// A generation has so long to bind again what was found before, from when it listened elsewhere.
  private static let discoverySettles: Duration = .seconds(1)

  func discovery(of service: Int) -> Interception.Discovery {
    Interception.Discovery(
      known: { [weak self] in self?.discovered(service) ?? [] },
      adopt: { [weak self] descriptor, address, pid in self?.adopt(descriptor, at: address, pid, service) },
      giveUp: { [weak self] in self?.giveUp($0, of: service, because: "its program binds another address now")
      },
      onForeign: { [weak self] address, pid in self?.lookAtForeign(address, pid, service) })
  }

  private func discovered(_ service: Int) -> [DiscoveredSocket] {
    let runtime = runtimes[service]
    return runtime.definition.sockets.filter { sockets.isDiscovered($0) }.flatMap { name in
      sockets.listeners(of: name).map {
        DiscoveredSocket(
          name: name, address: $0.address, isV6Only: $0.options.v6Only == true,
          isClaimed: runtime.claimedSockets.contains(name))
      }
    }
  }

  private func adopt(
    _ descriptor: consuming FileDescriptor, at address: SocketAddress, _ pid: Int32, _ service: Int
  ) -> Listener? {
    let name = DiscoveredName.of(address, besides: Set(configuration.sockets.map(\.name)))
    var definition = SocketDefinition(
      name: name, addresses: [address],
      options: SocketOptions(ofProgramSocket: descriptor.number, at: address))
    definition.isDiscovered = true
    let listener: Listener
    do throws(SocketError) {
      listener = try sockets.adopt(descriptor, as: definition, at: address)
    } catch {
      warn(service, pid, error.description)
      return nil
    }
    configuration.sockets.append(definition)
    redefine(service) { $0.sockets.append(name) }
    runtimes[service].claimedSockets.insert(name)
    giveUpSoon(service)
    socketDiscovered(service, address)
    return listener
  }

  /// A generation that listens elsewhere than those before it has moved, unless it has only grown.
  private func giveUpSoon(_ service: Int) {
    let runtime = runtimes[service]
    guard discovered(service).contains(where: { !$0.isClaimed }) else { return }
    do throws(SystemError) {
      runtime.discoveryTimer = try loop.timer(at: Clock.now() + Self.discoverySettles, priority: .logs) {
        [weak self] in
        runtime.discoveryTimer = nil
        guard let self else { return }
        let outdated = discovered(service).filter { !$0.isClaimed }
        giveUp(outdated, of: service, because: "its program listens elsewhere now")
      }
    } catch {
      report([error], for: runtime)
    }
  }

  private func giveUp(_ outdated: [DiscoveredSocket], of service: Int, because reason: String) {
    for socket in outdated {
      let remarks = sockets.abandon(socket.name)
      configuration.sockets.removeAll { $0.name == socket.name }
      redefine(service) { definition in definition.sockets.removeAll { $0 == socket.name } }
      log(.notice, service: service, "\(socket.address) is closed: \(reason)")
      for remark in remarks { log(.warning, service: service, remark) }
    }
  }

  private func redefine(_ service: Int, _ change: (inout ServiceDefinition) -> Void) {
    var definition = graph.machines[service].wantedDefinition
    change(&definition)
    if let index = configuration.services.firstIndex(where: { $0.name == definition.name }) {
      configuration.services[index] = definition
    }
    perform(graph.redefine(service, definition, .atOnce, at: Clock.now()))
  }

  /// Whether the kernel will refuse a bind because somebody who is not of this service listens there.
  private func lookAtForeign(_ address: SocketAddress, _ pid: Int32, _ service: Int) {
    guard address.accepts else { return }
    do throws(SystemError) {
      let own = Set(runtimes[service].definition.sockets.flatMap { sockets.listeners(of: $0).map(\.inode) })
      let others = try socketTable.listeners(on: address).map(\.inode).filter { !own.contains($0) }
      guard !others.isEmpty else { return }
      let held = Set(holders(of: Set(others), among: descendants(of: service).map(\.stat.pid)).map(\.inode))
      if others.allSatisfy({ held.contains($0) }) { return }
      guard runtimes[service].interceptionRemarks.insert("taken \(address)").inserted else { return }
      bindOfTakenAddress(service, pid, address)
    } catch {
      report([error], for: runtimes[service])
    }
  }

  // MARK: What came to light

  /// The daemon owns what a program of the service listens on; the next generation gets it.
  func socketDiscovered(_ service: Int, _ address: SocketAddress) {
    log(.notice, service: service, "listens on \(address); the socket stays open over restarts from now on")
  }

  /// Once in a generation for each address: the program binds what somebody else listens on, and the kernel refuses.
  func bindOfTakenAddress(_ service: Int, _ pid: Int32, _ address: SocketAddress) {
    if let observer { return observer.bindOfTakenAddress(address, of: service, pid: pid) }
    log.log(
      .warning, service: runtimes[service].definition.name, generation: generation(of: service), pid: pid,
      "pid \(pid) binds \(address), where somebody else listens; it will hear \"Address already in use\"")
  }
}
