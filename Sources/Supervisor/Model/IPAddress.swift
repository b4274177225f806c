// IP addresses as values: their text, and what they cover.

import Glibc

/// An IPv4 or IPv6 address, without a port.
package enum IPAddress: Hashable, Sendable, Codable {
  /// Host byte order: 127.0.0.1 is 0x7f000001.
  case v4(UInt32)
  /// Network byte order; `scope` is the interface index of a link-local address, else 0 (ipv6(7)).
  case v6(SIMD16<UInt8>, scope: UInt32)

  /// Reads "127.0.0.1", "::1", "fe80::1%eth0"; nil when the text is no address or names no interface.
  package init?(_ text: String) {
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      self = .v4(UInt32(bigEndian: four.s_addr))
      return
    }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    var six = in6_addr()
    guard let address = parts.first, inet_pton(AF_INET6, String(address), &six) == 1 else { return nil }
    var scope: UInt32 = 0
    if parts.count == 2 {
      scope = if_nametoindex(String(parts[1]))
      if scope == 0 { return nil }
    }
    self = .v6(withUnsafeBytes(of: six) { $0.loadUnaligned(as: SIMD16<UInt8>.self) }, scope: scope)
  }

  /// "0.0.0.0" or "::".
  package var isWildcard: Bool {
    switch self {
    case .v4(let bits): bits == 0
    case .v6(let bytes, _): bytes == SIMD16(repeating: 0)
    }
  }

  package var isV6: Bool {
    if case .v6 = self { true } else { false }
  }

  /// The IPv4 address inside an IPv4-mapped IPv6 address (::ffff:1.2.3.4), else the address itself.
  package var unmapped: IPAddress {
    guard case .v6(let b, _) = self else { return self }
    let prefix: SIMD16<UInt8> = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, b[12], b[13], b[14], b[15]]
    guard b == prefix else { return self }
    return .v4(UInt32(b[12]) << 24 | UInt32(b[13]) << 16 | UInt32(b[14]) << 8 | UInt32(b[15]))
  }
}

extension IPAddress: CustomStringConvertible {
  package var description: String {
    switch self {
    case .v4(let bits): "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
    case .v6(let bytes, let scope): Self.text(bytes) + (scope == 0 ? "" : "%\(scope)")
    }
  }

  private static func text(_ bytes: SIMD16<UInt8>) -> String {
    var bytes = bytes
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
      guard let base = text.baseAddress,
        inet_ntop(AF_INET6, &bytes, base, socklen_t(INET6_ADDRSTRLEN)) != nil
      else { return "?" }
      return String(cString: base)
    }
  }
}
