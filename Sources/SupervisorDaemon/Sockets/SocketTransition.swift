// What becomes of each listener when the configuration's sockets are other ones. Pure: it opens and closes nothing.

import Supervisor

/// The way from the listeners of one list of sockets to those of another.
package struct SocketTransition: Hashable, Sendable {
  package typealias Slot = SocketTakeover.Slot

  /// For each place of the new list; a socket that stays closed has none.
  package private(set) var fates: [Slot: Fate] = [:]
  /// Listeners of the old list whose addresses others are waiting for.
  package private(set) var inTheWay: [Slot] = []
  /// Listeners of the old list that nobody wants any more.
  package private(set) var leaving: [Slot] = []

  package enum Fate: Hashable, Sendable {
    /// The listener of the old list as it is, perhaps under another name.
    case kept(Slot)
    /// The same with options that the kernel takes while it is bound.
    case adjusted(Slot)
    case opened
    /// When those that are in the way are closed.
    case openedLater
  }

  /// How a listener of the old list is.
  package enum Standing: Hashable, Sendable { case opened, inherited, closed }

  /// The sockets that can be opened only when the services of others have let go.
  package var waiting: Set<String> {
    Set(fates.compactMap { $1 == .openedLater ? $0.socket : nil })
  }

  package init(
    from old: [SocketDefinition], to new: [SocketDefinition], standing: (String) -> Standing
  ) {
    var free = Self.slots(of: old.filter { standing($0.name) != .closed })
    for definition in new {
      if staysClosed(definition, old, standing) { continue }
      for (position, address) in definition.addresses.enumerated() {
        let slot = Slot(socket: definition.name, position: position)
        guard let match = Self.match(slot, address, among: free) else { continue }
        fates[slot] = fate(of: match, for: definition, standing(match.slot.socket))
        if fates[slot] == .openedLater { inTheWay.append(match.slot) }
        free.removeAll { $0.slot == match.slot }
      }
    }
    for definition in new where !staysClosed(definition, old, standing) {
      for (position, address) in definition.addresses.enumerated() {
        let slot = Slot(socket: definition.name, position: position)
        if fates[slot] == nil { fates[slot] = open(address, besides: free) }
      }
    }
    leaving = free.map(\.slot).filter { !inTheWay.contains($0) }
  }

  /// A listener of the old list that nobody claimed yet.
  private struct Free {
    var slot: Slot
    var address: SocketAddress
    var definition: SocketDefinition
  }

  private static func slots(of definitions: [SocketDefinition]) -> [Free] {
    definitions.flatMap { definition in
      definition.addresses.enumerated().map {
        Free(
          slot: Slot(socket: definition.name, position: $0.offset), address: $0.element,
          definition: definition)
      }
    }
  }

  /// The address counts; a port that the kernel chose belongs to its name.
  private static func match(_ slot: Slot, _ address: SocketAddress, among free: [Free]) -> Free? {
    let same = free.filter { $0.address == address && (address.port != 0 || $0.slot.socket == slot.socket) }
    return same.first { $0.slot == slot } ?? same.first { $0.slot.socket == slot.socket } ?? same.first
  }

  private func fate(of match: Free, for definition: SocketDefinition, _ standing: Standing) -> Fate {
    let old = match.definition.options.meaningful(for: match.address)
    let difference = definition.options.meaningful(for: match.address).differences(from: old)
    if difference.keys.isEmpty { return .kept(match.slot) }
    // Whoever started the daemon holds it as well: nobody could open it anew.
    return difference.effect == .inPlace || standing == .inherited ? .adjusted(match.slot) : .openedLater
  }

  /// At once, unless one of those that nobody wants any more has the address.
  private mutating func open(_ address: SocketAddress, besides free: [Free]) -> Fate {
    let hindrances = free.filter { $0.address.overlaps(address) && address.port != 0 }.map(\.slot)
    inTheWay += hindrances.filter { !inTheWay.contains($0) }
    return hindrances.isEmpty ? .opened : .openedLater
  }

  /// Somebody closed it for a run by hand (`stop --close`), and it is the same socket still.
  private func staysClosed(
    _ definition: SocketDefinition, _ old: [SocketDefinition], _ standing: (String) -> Standing
  ) -> Bool {
    guard let before = old.first(where: { $0.name == definition.name }) else { return false }
    return standing(definition.name) == .closed && before.addresses == definition.addresses
      && definition.options.differences(from: before.options).effect == .inPlace
  }
}

extension SocketOptions {
  /// Without those that mean nothing for an address: one socket may have addresses of several kinds.
  fileprivate func meaningful(for address: SocketAddress) -> SocketOptions {
    var result = self
    if address.path == nil { (result.mode, result.user, result.group) = (nil, nil, nil) }
    guard address.port == nil else { return result }
    result.reusePort = false
    (result.v6Only, result.bindToDevice, result.freeBind, result.transparent) = (nil, nil, false, false)
    (result.deferAccept, result.fastOpen, result.keepAlive, result.noDelay) = (nil, nil, nil, nil)
    return result
  }
}
