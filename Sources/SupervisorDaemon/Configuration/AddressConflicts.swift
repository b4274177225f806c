// Addresses that can't be had twice: those of sockets, and guarded ports.

import Supervisor

struct AddressConflicts {
  private let draft: ConfigurationDraft
  private let diagnostics: Diagnostics
  /// By port, or by Unix name: only addresses of one key can get in each other's way.
  private var claims: [Key: [Claim]] = [:]

  init(_ draft: ConfigurationDraft, _ diagnostics: Diagnostics) {
    self.draft = draft
    self.diagnostics = diagnostics
  }

  /// Reports each address that an earlier one already covers, with the place of the earlier one.
  mutating func run() {
    for socket in draft.sockets {
      for address in socket.addresses {
        claim(Claim(address: address, owner: .socket(socket.name.value), options: socket.options))
      }
    }
    for service in draft.services {
      for address in service.ports {
        claim(Claim(address: address, owner: .service(service.name.value), options: SocketOptions()))
      }
    }
  }

  private mutating func claim(_ new: Claim) {
    let key = Key(new.address.value)
    if let earlier = claims[key, default: []].first(where: { $0.conflicts(with: new) }) {
      diagnostics.error(Self.message(new, earlier), at: new.address.span)
    } else {
      claims[key, default: []].append(new)
    }
  }

  private static func message(_ new: Claim, _ earlier: Claim) -> String {
    let (mine, other) = (new.address.value, earlier.address.value)
    let verb = mine == other ? "is already" : "overlaps \(escaped("\(other)")),"
    let wildcards = [mine.ip?.isWildcard, other.ip?.isWildcard] == [true, true]
    let remedy = mine != other && wildcards ? "; v6_only = true keeps [::] from covering IPv4" : ""
    return "\(escaped("\(mine)")) \(verb) \(earlier.role) at \(earlier.address.span.position)\(remedy)"
  }

  private enum Key: Hashable {
    case port(UInt16)
    case unix(SocketAddress.UnixName)

    init(_ address: SocketAddress) {
      switch address {
      case .tcp(_, let port), .udp(_, let port): self = .port(port)
      case .unix(_, let name): self = .unix(name)
      }
    }
  }
}

/// An address, and who wants it.
private struct Claim {
  let address: Located<SocketAddress>
  let owner: Owner
  let options: SocketOptions

  enum Owner: Equatable {
    case socket(String)
    case service(String)
  }

  var role: String {
    switch owner {
    case .socket(let name): "an address of [socket.\(escaped(name))]"
    case .service(let name): "a guarded port of [service.\(escaped(name))]"
    }
  }

  func conflicts(with other: Claim) -> Bool {
    let (a, b) = (address.value, other.address.value)
    // A program may well bind 0.0.0.0 and [::] of one port by itself, the latter for IPv6 only.
    if case .service = owner, owner == other.owner { return a == b }
    // The kernel compares addresses only of sockets on one device (inet_rcv_saddr_equal, SO_BINDTODEVICE).
    if let device = options.bindToDevice, let otherDevice = other.options.bindToDevice, device != otherDevice
    {
      return false
    }
    return a.ip?.isV6 == true
      ? b.overlaps(a, otherIsV6Only: options.v6Only == true)
      : a.overlaps(b, otherIsV6Only: other.options.v6Only == true)
  }
}
