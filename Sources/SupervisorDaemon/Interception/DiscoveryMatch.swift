// Which bind(2) means which socket that was discovered. Pure: it sees addresses only.

import Supervisor

/// A socket that the program of a service listened on, and that is owned since.
package struct DiscoveredSocket: Hashable, Sendable {
  package var name: String
  package var address: SocketAddress
  package var isV6Only: Bool
  /// The current generation has it.
  package var isClaimed: Bool

  package init(name: String, address: SocketAddress, isV6Only: Bool = false, isClaimed: Bool = false) {
    self.name = name
    self.address = address
    self.isV6Only = isV6Only
    self.isClaimed = isClaimed
  }
}

/// What becomes of one bind(2) where nobody configured an address: the program's word alone counts.
///
/// A wildcard is a wildcard, and loopback is loopback: a socket that would listen elsewhere than the program says is
/// not the one it means.
package enum DiscoveryMatch: Hashable, Sendable {
  /// None of them: the kernel carries it out.
  case untouched
  /// Just this address.
  case socket(Int)
  /// These are in its way, and are left from a generation that meant another address: they have to go first.
  case outdated([Int])

  package static func of(
    _ wanted: SocketAddress, isV6Only: Bool = false, among known: [DiscoveredSocket]
  ) -> DiscoveryMatch {
    if wanted.port == 0 { return .untouched }
    if let same = known.firstIndex(where: { $0.address.isSame(as: wanted) && $0.isV6Only == isV6Only }) {
      return .socket(same)
    }
    let inTheWay = known.indices.filter {
      !known[$0].isClaimed && known[$0].overlaps(wanted, isV6Only: isV6Only)
    }
    return inTheWay.isEmpty ? .untouched : .outdated(inTheWay)
  }
}

extension DiscoveredSocket {
  /// Whether the kernel would say EADDRINUSE: two of [::] that leave IPv4 alone meet no address of it.
  fileprivate func overlaps(_ wanted: SocketAddress, isV6Only isWantedV6Only: Bool) -> Bool {
    if isV6Only, wanted.isV4 { return false }
    if isWantedV6Only, address.isV4 { return false }
    return address.overlaps(wanted)
  }
}

extension SocketAddress {
  fileprivate var isV4: Bool { ip.map { !$0.unmapped.isV6 } ?? false }
}

/// Sockets that were bound to port 0: the program wants any port, so that none is worth keeping.
///
/// Only the inode tells them from others later. What is closed is not told, so that the eldest are forgotten.
package struct EphemeralSockets: Hashable, Sendable {
  private var inodes: [UInt64] = []
  private static let limit = 256

  package init() {}

  /// Every bind of a socket that is not ours.
  package mutating func noteBind(of inode: UInt64, port: UInt16?) {
    inodes.removeAll { $0 == inode }
    guard port == 0 else { return }
    inodes.append(inode)
    if inodes.count > Self.limit { inodes.removeFirst() }
  }

  package func contains(_ inode: UInt64) -> Bool { inodes.contains(inode) }
}

/// How a discovered socket is called.
package enum DiscoveredName {
  /// "port-8000", or the last part of a path; unique among the names that are taken.
  package static func of(_ address: SocketAddress, besides taken: Set<String>) -> String {
    let name = plain(address)
    if !taken.contains(name) { return name }
    var number = 2
    while taken.contains("\(name)-\(number)") { number += 1 }
    return "\(name)-\(number)"
  }

  /// Room for the number.
  private static let longest = DefinitionName.longest - 8

  private static func plain(_ address: SocketAddress) -> String {
    switch address {
    case .tcp(_, let port), .udp(_, let port): return "port-\(port)"
    case .unix(_, .path(let text)), .unix(_, .abstract(let text)):
      let last = text.split(separator: "/").last.map(String.init) ?? ""
      var name = ""
      for scalar in last.unicodeScalars.prefix(longest) {
        name.unicodeScalars.append(DefinitionName.isAllowed(scalar) ? scalar : "_")
      }
      let isName = !name.isEmpty && !name.hasPrefix(".") && !name.hasPrefix("-")
      return isName ? name : "socket" + name
    }
  }
}
