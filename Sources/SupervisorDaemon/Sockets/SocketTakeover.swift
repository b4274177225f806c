// Which inherited socket is which of the configuration. Pure: it opens and closes nothing.

import Supervisor

/// The result of matching inherited sockets with the configuration.
package struct SocketTakeover: Hashable, Sendable {
  /// For each place that an inherited socket fills: its index.
  package private(set) var claims: [Slot: Int] = [:]
  /// The others, and why; in their order.
  package private(set) var rejected: [Rejection] = []

  /// Second descriptors of a socket that came before: to be closed, and not worth a word.
  package private(set) var duplicates: [Int] = []

  /// One address of one socket of the configuration.
  package struct Slot: Hashable, Sendable {
    /// The name of the socket.
    package var socket: String
    /// The index among its addresses.
    package var position: Int

    package init(socket: String, position: Int) {
      self.socket = socket
      self.position = position
    }
  }

  package struct Rejection: Hashable, Sendable {
    package var index: Int
    package var remark: String
  }

  /// Matches by name, and by address among the addresses of that name; what is left by address alone.
  ///
  /// A name is never enough: the address is what clients were promised, and a socket that a former
  /// configuration left in a descriptor store would otherwise be served for ever. Wildcards equal themselves
  /// only.
  package static func match(
    _ inherited: [InheritedSocket.Identity], _ definitions: [SocketDefinition]
  ) -> SocketTakeover {
    var result = SocketTakeover()
    result.duplicates = duplicates(among: inherited)
    let inherited = inherited.enumerated().filter { !result.duplicates.contains($0.offset) }
    for (index, one) in inherited where one.name != nil {
      let slots = result.slots(of: one.address, in: definitions.filter { $0.name == one.name })
      if let free = slots.first(where: { result.claims[$0] == nil }) { result.claims[free] = index }
    }
    let named = Set(result.claims.values)
    for (index, one) in inherited where !named.contains(index) {
      let slots = result.slots(of: one.address, in: definitions)
      if let free = slots.first(where: { result.claims[$0] == nil }) {
        result.claims[free] = index
      } else {
        let why = reason(one, slots.first, definitions.first { $0.name == one.name })
        result.rejected.append(Rejection(index: index, remark: "\(label(one)) is closed: \(why)"))
      }
    }
    return result
  }

  /// A socket can come from the manager, from its store and from a keeper at once.
  ///
  /// The first in that order counts: whose it is must not depend on who survived.
  private static func duplicates(among inherited: [InheritedSocket.Identity]) -> [Int] {
    let order: [InheritedSocket.Provenance] = [.manager, .store, .keeper]
    var seen: Set<UInt64> = []
    var result: [Int] = []
    for provenance in order {
      for (index, one) in inherited.enumerated() where one.provenance == provenance && one.inode != 0 {
        if !seen.insert(one.inode).inserted { result.append(index) }
      }
    }
    return result.sorted()
  }

  private func slots(of address: SocketAddress, in definitions: [SocketDefinition]) -> [Slot] {
    definitions.flatMap { definition in
      definition.addresses.indices.filter { definition.addresses[$0] == address }
        .map { Slot(socket: definition.name, position: $0) }
    }
  }

  private static func label(_ one: InheritedSocket.Identity) -> String {
    let name = one.name.map { " \"\(ProcessTable.printable($0))\"" } ?? ""
    return "inherited socket \(one.number)\(name) (\(ProcessTable.printable(one.address.description)))"
  }

  private static func reason(
    _ one: InheritedSocket.Identity, _ taken: Slot?, _ namesake: SocketDefinition?
  ) -> String {
    if let taken { return "socket \"\(taken.socket)\" has its listener already" }
    if let namesake {
      let addresses = namesake.addresses.map(\.description).joined(separator: ", ")
      return "the configuration has socket \"\(namesake.name)\" at \(addresses)"
    }
    return "no socket of the configuration has this name or address"
  }
}
