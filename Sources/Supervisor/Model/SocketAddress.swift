// Where a socket listens: its text in the configuration, and which addresses get in each other's way.

/// An address to listen on, as `listen = "…"` spells it.
package enum SocketAddress: Hashable, Sendable, Codable {
  case tcp(IPAddress, port: UInt16)
  case udp(IPAddress, port: UInt16)
  case unix(UnixKind, UnixName)

  /// The type of a Unix socket, unix(7).
  package enum UnixKind: String, Hashable, Sendable, Codable, CaseIterable {
    case stream = "unix"
    case datagram = "unix-dgram"
    case sequencedPacket = "unix-seqpacket"
  }

  /// What a Unix socket is bound to, unix(7).
  package enum UnixName: Hashable, Sendable, Codable {
    case path(String)
    /// Without the leading NUL byte, which the configuration writes as "@".
    case abstract(String)
  }

  /// TCP and UDP only.
  package var port: UInt16? {
    switch self {
    case .tcp(_, let port), .udp(_, let port): port
    case .unix: nil
    }
  }

  package var ip: IPAddress? {
    switch self {
    case .tcp(let ip, _), .udp(let ip, _): ip
    case .unix: nil
    }
  }

  /// Stream and seqpacket sockets listen and accept; datagram sockets don't.
  package var accepts: Bool {
    switch self {
    case .tcp, .unix(.stream, _), .unix(.sequencedPacket, _): true
    case .udp, .unix(.datagram, _): false
    }
  }
}

extension SocketAddress: CustomStringConvertible {
  package var description: String {
    switch self {
    case .tcp(let ip, let port): Self.text(ip, port)
    case .udp(let ip, let port): "udp:" + Self.text(ip, port)
    case .unix(let kind, .path(let path)): "\(kind.rawValue):\(path)"
    case .unix(let kind, .abstract(let name)): "\(kind.rawValue):@\(name)"
    }
  }

  private static func text(_ ip: IPAddress, _ port: UInt16) -> String {
    ip.isV6 ? "[\(ip)]:\(port)" : "\(ip):\(port)"
  }
}

/// Why a text is no address; `description` is the end of a sentence: "invalid address "x": …".
package struct AddressError: Error, Equatable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

extension SocketAddress {
  /// The longest path of a Unix socket, without the closing NUL: `sun_path` has 108 bytes (unix(7)).
  package static let longestUnixPath = 107

  /// Reads "127.0.0.1:80", "[::]:80", "80", ":80", "udp:…", "unix:/path", "unix:@name",
  /// "unix-dgram:…", "unix-seqpacket:…".
  ///
  /// A port alone means every address of the machine: [::]:PORT, dual stack.
  package init(parsing text: String) throws(AddressError) {
    if text.utf8.contains(0) { throw AddressError("it contains a NUL byte") }
    for kind in UnixKind.allCases where text.hasPrefix(kind.rawValue + ":") {
      self = .unix(kind, try Self.unixName(String(text.dropFirst(kind.rawValue.utf8.count + 1))))
      return
    }
    if text.hasPrefix("udp:") {
      let (ip, port) = try Self.inet(text.dropFirst(4))
      self = .udp(ip, port: port)
    } else {
      let (ip, port) = try Self.inet(text.hasPrefix("tcp:") ? text.dropFirst(4) : text[...])
      self = .tcp(ip, port: port)
    }
  }

  private static func unixName(_ text: String) throws(AddressError) -> UnixName {
    // An empty name would make the kernel choose a random abstract one (autobind, unix(7)).
    if text.isEmpty || text == "@" { throw AddressError("it has no path") }
    if text.utf8.count > longestUnixPath {
      throw AddressError("the path has \(text.utf8.count) bytes, a Unix socket allows \(longestUnixPath)")
    }
    if text.hasPrefix("@") { return .abstract(String(text.dropFirst())) }
    if !text.hasPrefix("/") { throw AddressError("the path is not absolute") }
    return .path(text)
  }

  private static func inet(_ text: Substring) throws(AddressError) -> (IPAddress, UInt16) {
    if text.allSatisfy(\.isNumber), !text.isEmpty {
      return (.v6(SIMD16(repeating: 0), scope: 0), try port(text))
    }
    guard let colon = text.lastIndex(of: ":") else {
      throw AddressError("expected ADDRESS:PORT, [IPV6]:PORT, a port, or unix:PATH")
    }
    let host = text[..<colon]
    let number = try port(text[text.index(after: colon)...])
    if host.isEmpty || host == "*" { return (.v6(SIMD16(repeating: 0), scope: 0), number) }
    if host.hasPrefix("["), host.hasSuffix("]") {
      guard let ip = IPAddress(String(host.dropFirst().dropLast())), ip.isV6 else {
        throw AddressError("\"\(host.dropFirst().dropLast())\" is no IPv6 address")
      }
      return (ip, number)
    }
    if host.contains(":") { throw AddressError("write an IPv6 address in brackets: [\(host)]:\(number)") }
    if host == "localhost" { return (.v4(0x7f00_0001), number) }
    guard let ip = IPAddress(String(host)) else {
      throw AddressError("\"\(host)\" is no IP address; host names are not looked up")
    }
    return (ip, number)
  }

  private static func port(_ text: Substring) throws(AddressError) -> UInt16 {
    guard !text.isEmpty, text.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(text) else {
      throw AddressError("\"\(text)\" is no port number")
    }
    guard (1...65535).contains(number) else { throw AddressError("port \(number) is outside 1…65535") }
    return UInt16(number)
  }
}

extension SocketAddress {
  /// True when a listener on one of the two takes connections that were meant for the other.
  ///
  /// A wildcard covers every address of its port, `[::]` those of IPv4 too unless IPV6_V6ONLY is set (ipv6(7));
  /// an IPv4-mapped address is its IPv4 address.
  package func overlaps(_ other: SocketAddress, otherIsV6Only: Bool = false) -> Bool {
    switch (self, other) {
    case (.tcp(let a, let p), .tcp(let b, let q)), (.udp(let a, let p), .udp(let b, let q)):
      p == q && Self.overlaps(a, b, otherIsV6Only: otherIsV6Only)
    case (.unix(_, let a), .unix(_, let b)): a == b
    case (.tcp, _), (.udp, _), (.unix, _): false
    }
  }

  private static func overlaps(_ a: IPAddress, _ b: IPAddress, otherIsV6Only: Bool) -> Bool {
    let (a, b) = (a.unmapped, b.unmapped)
    switch (a, b) {
    case (.v4(let x), .v4(let y)): return x == 0 || y == 0 || x == y
    case (.v6(let x, let s), .v6(let y, let t)):
      return a.isWildcard || b.isWildcard || (x == y && (s == 0 || t == 0 || s == t))
    case (.v4, .v6): return b.isWildcard && !otherIsV6Only
    case (.v6, .v4): return a.isWildcard
    }
  }
}
