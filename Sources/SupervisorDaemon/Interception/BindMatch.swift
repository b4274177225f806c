// Which bind(2) of a program means which of its owned sockets. Pure: it sees addresses only.

import Supervisor

/// What becomes of one bind(2).
package enum BindMatch: Hashable, Sendable {
  /// None of ours: the kernel carries it out.
  case untouched
  /// The program gets this listener in place of its socket.
  case listener(Int)
  /// It would cover this listener's address, among others, and fail: the configuration does not say that it means it.
  case wildcard(Int)

  /// Finds the listener for an address, the closest first.
  ///
  /// The family does not matter: programs bind `[::ffff:127.0.0.1]` and `[::]` and mean IPv4 as well (ipv6(7)). A
  /// listener on every address serves a bind to one of them: the configuration decides where the port is open, and the
  /// program's own bind would fail. Port 0 asks for any port, so never for ours.
  package static func of(
    _ wanted: SocketAddress, among listeners: [SocketAddress], policy: WildcardBind
  ) -> BindMatch {
    if wanted.port == 0 { return .untouched }
    if let index = listeners.firstIndex(where: { $0.isSame(as: wanted) }) { return .listener(index) }
    if let index = listeners.firstIndex(where: { $0.hasWildcard && $0.overlaps(wanted) }) {
      return .listener(index)
    }
    guard wanted.hasWildcard, let index = listeners.firstIndex(where: { $0.overlaps(wanted) }) else {
      return .untouched
    }
    return policy == .meansOwned ? .listener(index) : .wildcard(index)
  }
}

extension SocketAddress {
  fileprivate var hasWildcard: Bool { ip?.isWildcard == true }

  /// The same address, however it is spelled.
  func isSame(as other: SocketAddress) -> Bool {
    switch (self, other) {
    case (.tcp(let a, let p), .tcp(let b, let q)), (.udp(let a, let p), .udp(let b, let q)):
      p == q && a.unmapped.isSame(as: b.unmapped)
    case (.unix(let kind, let name), .unix(let otherKind, let otherName)):
      kind == otherKind && name == otherName
    case (.tcp, _), (.udp, _), (.unix, _): false
    }
  }
}

extension IPAddress {
  /// Equal; a scope that one side leaves open is no difference.
  fileprivate func isSame(as other: IPAddress) -> Bool {
    switch (self, other) {
    case (.v4(let a), .v4(let b)): a == b
    case (.v6(let a, let s), .v6(let b, let t)): a == b && (s == t || s == 0 || t == 0)
    case (.v4, .v6), (.v6, .v4): false
    }
  }
}
