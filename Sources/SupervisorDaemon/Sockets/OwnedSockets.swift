// All the listeners of the daemon, by the names of the configuration.

import Supervisor

/// The sockets that the daemon owns.
package final class OwnedSockets {
  /// In the order of the configuration.
  package private(set) var definitions: [SocketDefinition]
  /// What the log should say of opening and taking over.
  package let remarks: [String]
  /// What came from the descriptor store and has no place in the configuration: it is to be taken out of there.
  package let unclaimed: [StoreName]
  private var listeners: [String: [Listener]]
  /// What a reload left over: listeners whose addresses others wait for, and those that nobody wants.
  private var inTheWay: [Listener] = []
  private var leaving: [Listener] = []

  /// Takes over what came with the start, and opens the rest.
  ///
  /// When one fails all are closed again, and the paths that were made are gone; the error tells of every one
  /// that failed. What came with the start is as it was then, but for what nobody claims, and can be tried again.
  package init(
    definitions: [SocketDefinition], activation: SocketActivation
  ) throws(SocketOpenFailure) {
    self.definitions = definitions
    let takeover = SocketTakeover.match(activation.inherited.map(\.identity), definitions)
    // First: a new listener may want the address of one that nobody claims.
    for index in takeover.rejected.map(\.index) + takeover.duplicates { activation.inherited[index].close() }
    var opened: [String: [Listener]] = [:]
    var errors: [SocketError] = []
    var adopted: [Listener] = []
    for definition in definitions {
      for (position, address) in definition.addresses.enumerated() {
        let claim = takeover.claims[SocketTakeover.Slot(socket: definition.name, position: position)]
        do throws(SocketError) {
          let inherited = claim.map { activation.inherited[$0] }
          let listener = try Self.listener(inherited, address, definition)
          opened[definition.name, default: []].append(listener)
          if inherited != nil { adopted.append(listener) }
        } catch {
          errors.append(error)
        }
      }
    }
    listeners = opened
    remarks =
      activation.remarks + takeover.rejected.map(\.remark)
      + definitions.flatMap { opened[$0.name, default: []].flatMap(\.remarks) }
    unclaimed = (takeover.rejected.map(\.index) + takeover.duplicates).compactMap {
      activation.inherited[$0].identity.storeName
    }
    if !errors.isEmpty {
      for listener in adopted { _ = listener.close(.keepingPath) }
      _ = closeAll()
      throw SocketOpenFailure(errors: errors)
    }
    for inherited in activation.inherited { inherited.close() }
  }

  /// Goes on with the listeners that another process handed over; a socket without any was closed.
  package init(definitions: [SocketDefinition], restoring snapshots: [Listener.Snapshot]) {
    self.definitions = definitions
    (remarks, unclaimed) = ([], [])
    listeners = [:]
    for definition in definitions {
      let own = snapshots.filter { $0.socket == definition.name }
      if own.isEmpty { continue }
      listeners[definition.name] = own.map { Listener(restoring: $0, options: definition.options) }
    }
  }

  package var snapshot: [Listener.Snapshot] {
    definitions.flatMap { listeners(of: $0.name).map(\.snapshot) }
  }

  deinit { _ = closeAll() }

  /// The listeners of a socket in the order of its addresses; empty while it is closed.
  package func listeners(of name: String) -> [Listener] { listeners[name, default: []] }

  /// False after `close(_:)`, and for a name that the configuration doesn't have.
  package func isOpen(_ name: String) -> Bool { listeners[name] != nil }

  /// Closes a socket, for a run by hand (`stop --close`).
  ///
  /// Returns what the log and the person should read.
  ///
  /// A socket that was inherited stays open: whoever opened it holds it as well, so that closing it would
  /// free nothing, and nobody could open it again.
  package func close(_ name: String) -> [String] {
    let open = listeners(of: name)
    if let foreign = open.first(where: { $0.origin == .inherited }) {
      return [
        "socket \"\(name)\" stays open: \(foreign.address) came from whoever started the daemon "
          + "(under systemd: stop its .socket unit)"
      ]
    }
    listeners[name] = nil
    return open.flatMap { $0.close() }
  }

  /// Opens a socket again after `close(_:)`; nothing happens to one that is open.
  ///
  /// Returns what the log should say.
  package func reopen(_ name: String) throws(SocketOpenFailure) -> [String] {
    guard listeners[name] == nil, let definition = definitions.first(where: { $0.name == name }) else {
      return []
    }
    do throws(SocketError) {
      let opened = try ListenerOpener.open(definition)
      listeners[name] = opened
      return opened.flatMap(\.remarks)
    } catch {
      throw SocketOpenFailure(errors: [error])
    }
  }

  /// Closes everything at the end of the daemon, and returns what the log should say.
  package func closeAll(_ fate: Listener.PathFate = .removingPath) -> [String] {
    let wanted = definitions.flatMap { listeners[$0.name, default: []] }
    let unwanted = inTheWay + leaving
    (listeners, inTheWay, leaving) = ([:], [], [])
    return wanted.flatMap { $0.close(fate) } + unwanted.flatMap { $0.close() }
  }

  /// Every listener, those that a reload is about to close included.
  package var all: [Listener] {
    definitions.flatMap { listeners[$0.name, default: []] } + inTheWay + leaving
  }

  private static func listener(
    _ inherited: InheritedSocket?, _ address: SocketAddress, _ definition: SocketDefinition
  ) throws(SocketError) -> Listener {
    guard let inherited else { return try ListenerOpener.open(address, of: definition) }
    let opening = SocketOpening(socket: definition.name, address: address, options: definition.options)
    let duplicate: FileDescriptor?
    do throws(SystemError) {
      duplicate = try inherited.duplicate()
    } catch {
      throw opening.failure(.create, error.code)
    }
    guard let descriptor = duplicate else { return try ListenerOpener.open(address, of: definition) }
    let listener = try Listener(adopting: descriptor, from: inherited.identity.provenance, opening: opening)
    if let name = inherited.identity.storeName { listener.remember(name) { _, _ in } }
    return listener
  }
}

// Another list of sockets, while the daemon runs.
extension OwnedSockets {
  /// What would become of the listeners.
  package func transition(to new: [SocketDefinition]) -> SocketTransition {
    SocketTransition(from: definitions, to: new) { name in
      guard isOpen(name) else { return .closed }
      return listeners(of: name).contains { $0.origin == .inherited } ? .inherited : .opened
    }
  }

  /// Goes on with another list: opens what is new, changes nothing when one of these can't be opened.
  ///
  /// What nobody wants any more, or is in the way of others, stays open: see `makeWay()` and `closeLeaving()`.
  ///
  /// Returns what the log should say.
  package func replace(
    by new: [SocketDefinition], _ transition: SocketTransition
  ) throws(SocketOpenFailure) -> [String] {
    let opened = try open(new, transition)
    let old = listeners
    func listener(_ slot: SocketTransition.Slot) -> Listener? {
      old[slot.socket].flatMap { $0.indices.contains(slot.position) ? $0[slot.position] : nil }
    }
    var remarks: [String] = []
    var next: [String: [Listener]] = [:]
    for definition in new {
      for (position, address) in definition.addresses.enumerated() {
        let slot = SocketTransition.Slot(socket: definition.name, position: position)
        var found: Listener?
        switch transition.fates[slot] {
        case .kept(let before), .adjusted(let before):
          found = listener(before)
          remarks += found?.change(to: definition) ?? []
        case .opened:
          found = opened[slot]
          remarks += found?.remarks ?? []
        case .openedLater:
          found = Listener(
            waitingFor: SocketOpening(socket: definition.name, address: address, options: definition.options))
        case nil: break
        }
        if let found { next[definition.name, default: []].append(found) }
      }
    }
    inTheWay += transition.inTheWay.compactMap(listener)
    leaving += transition.leaving.compactMap(listener)
    (listeners, definitions) = (next, new)
    return remarks
  }

  private func open(
    _ new: [SocketDefinition], _ transition: SocketTransition
  ) throws(SocketOpenFailure) -> [SocketTransition.Slot: Listener] {
    var opened: [SocketTransition.Slot: Listener] = [:]
    var errors: [SocketError] = []
    for definition in new {
      for (position, address) in definition.addresses.enumerated() {
        let slot = SocketTransition.Slot(socket: definition.name, position: position)
        guard transition.fates[slot] == .opened else { continue }
        do throws(SocketError) {
          opened[slot] = try ListenerOpener.open(address, of: definition)
        } catch {
          errors.append(error)
        }
      }
    }
    if errors.isEmpty { return opened }
    for listener in opened.values { _ = listener.close() }
    throw SocketOpenFailure(errors: errors)
  }

  /// Closes what is in the way, and opens those that waited for it: when no service has these any more.
  package func makeWay() -> [String] {
    let closed = inTheWay.flatMap { $0.close() }
    inTheWay = []
    return closed + definitions.flatMap { listeners(of: $0.name).flatMap { $0.openNow() } }
  }

  /// Closes what nobody wants any more: when no service has these.
  package func closeLeaving() -> [String] {
    defer { leaving = [] }
    return leaving.flatMap { $0.close() }
  }
}

// Sockets that no configuration has: programs listened on them first.
extension OwnedSockets {
  /// Whether a socket was taken from a program.
  package func isDiscovered(_ name: String) -> Bool {
    definitions.contains { $0.name == name && $0.isDiscovered }
  }

  /// Owns a socket that a program has bound, and listens on it.
  package func adopt(
    _ descriptor: consuming FileDescriptor, as definition: SocketDefinition, at address: SocketAddress
  ) throws(SocketError) -> Listener {
    let opening = SocketOpening(socket: definition.name, address: address, options: definition.options)
    let listener = try Listener(adopting: descriptor, from: .program, opening: opening)
    definitions.append(definition)
    listeners[definition.name] = [listener]
    return listener
  }

  /// Closes such a socket for good; returns what the log should say.
  package func abandon(_ name: String) -> [String] {
    guard isDiscovered(name) else { return [] }
    definitions.removeAll { $0.name == name }
    return (listeners.removeValue(forKey: name) ?? []).flatMap { $0.close() }
  }
}
