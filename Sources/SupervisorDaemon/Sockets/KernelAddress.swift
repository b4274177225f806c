// The kernel's form of an address: struct sockaddr_*, and the arguments of socket(2).

import Glibc
import Supervisor

/// A `struct sockaddr` of any family, with its length.
struct KernelAddress {
  private var storage = sockaddr_storage()
  private var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  init(_ address: SocketAddress) {
    switch address {
    case .tcp(let ip, let port), .udp(let ip, let port): setInternet(ip, port)
    case .unix(_, let name): setUnix(name)
    }
  }

  private init() {}

  /// As a process wrote it down; nil when it is no `struct sockaddr`.
  init?(bytes: some Collection<UInt8>) {
    guard bytes.count >= MemoryLayout<sa_family_t>.size, bytes.count <= MemoryLayout<sockaddr_storage>.size
    else { return nil }
    withUnsafeMutableBytes(of: &storage) { $0.copyBytes(from: bytes) }
    length = socklen_t(bytes.count)
  }

  var isUnix: Bool { CInt(storage.ss_family) == AF_UNIX }

  /// TCP and UDP, over IPv4 and IPv6, have it at the same place.
  var port: UInt16? {
    guard [AF_INET, AF_INET6].contains(CInt(storage.ss_family)) else { return nil }
    return withUnsafeBytes(of: storage) {
      UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    }
  }

  /// What a socket is bound to, getsockname(2).
  init(of socket: CInt) throws(SystemError) {
    var result = KernelAddress()
    _ = try retrying("read the address of a socket") {
      result.withMutablePointer { getsockname(socket, $0, $1) }
    }
    self = result
  }

  /// Whether a socket has a peer, getpeername(2): it is a connection, or a datagram socket somebody
  /// connected.
  static func hasPeer(_ socket: CInt) -> Bool {
    var peer = KernelAddress()
    return peer.withMutablePointer { getpeername(socket, $0, $1) } == 0
  }

  /// Calls bind(2), connect(2), … with it.
  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  private mutating func withMutablePointer<Result>(
    _ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Result
  ) -> Result {
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    defer { self.length = length }
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
    }
  }

  private mutating func store<Value>(_ value: Value, length: Int) {
    withUnsafeMutableBytes(of: &storage) { storage in
      withUnsafeBytes(of: value) { storage.copyMemory(from: $0) }
    }
    self.length = socklen_t(length)
  }

  private mutating func setInternet(_ ip: IPAddress, _ port: UInt16) {
    switch ip {
    case .v4(let bits):
      var four = sockaddr_in()
      four.sin_family = sa_family_t(AF_INET)
      four.sin_port = port.bigEndian
      four.sin_addr.s_addr = bits.bigEndian
      store(four, length: MemoryLayout<sockaddr_in>.size)
    case .v6(let bytes, let scope):
      var six = sockaddr_in6()
      six.sin6_family = sa_family_t(AF_INET6)
      six.sin6_port = port.bigEndian
      six.sin6_scope_id = scope
      withUnsafeMutableBytes(of: &six.sin6_addr) { $0.storeBytes(of: bytes, as: SIMD16<UInt8>.self) }
      store(six, length: MemoryLayout<sockaddr_in6>.size)
    }
  }

  private mutating func setUnix(_ name: SocketAddress.UnixName) {
    // unix(7): a path ends with a NUL byte; an abstract name begins with one, and its length is all that ends
    // it.
    let bytes: [UInt8] =
      switch name {
      case .path(let path): Array(path.utf8.prefix(SocketAddress.longestUnixPath)) + [0]
      case .abstract(let name): [0] + Array(name.utf8.prefix(SocketAddress.longestUnixPath))
      }
    var local = sockaddr_un()
    local.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &local.sun_path) { $0.copyBytes(from: bytes) }
    store(local, length: Self.pathOffset + bytes.count)
  }

  private static let pathOffset = MemoryLayout<sa_family_t>.size
}

extension KernelAddress {
  /// The address as a value; nil for an unnamed Unix socket or a family that the configuration can't express.
  func decoded(type: CInt, protocolNumber: CInt) -> SocketAddress? {
    withUnsafeBytes(of: storage) { bytes in
      switch CInt(storage.ss_family) {
      case AF_INET:
        let four = bytes.load(as: sockaddr_in.self)
        let ip = IPAddress.v4(UInt32(bigEndian: four.sin_addr.s_addr))
        return Self.internet(ip, UInt16(bigEndian: four.sin_port), type, protocolNumber)
      case AF_INET6:
        let six = bytes.load(as: sockaddr_in6.self)
        let address = withUnsafeBytes(of: six.sin6_addr) { $0.loadUnaligned(as: SIMD16<UInt8>.self) }
        let ip = IPAddress.v6(address, scope: six.sin6_scope_id)
        return Self.internet(ip, UInt16(bigEndian: six.sin6_port), type, protocolNumber)
      case AF_UNIX:
        let name = bytes[Self.pathOffset..<max(Self.pathOffset, min(Int(length), bytes.count))]
        return Self.unix(name, type)
      default: return nil
      }
    }
  }

  private static func internet(
    _ ip: IPAddress, _ port: UInt16, _ type: CInt, _ protocolNumber: CInt
  ) -> SocketAddress? {
    switch (type, protocolNumber) {
    // A listener of Multipath TCP (systemd's SocketProtocol=mptcp) serves plain TCP as well.
    case (SocketType.stream, CInt(IPPROTO_TCP)), (SocketType.stream, 262 /* IPPROTO_MPTCP */):
      .tcp(ip, port: port)
    case (SocketType.datagram, CInt(IPPROTO_UDP)): .udp(ip, port: port)
    default: nil
    }
  }

  private static func unix(_ name: Slice<UnsafeRawBufferPointer>, _ type: CInt) -> SocketAddress? {
    guard let kind = SocketAddress.UnixKind.allCases.first(where: { $0.socketType == type }),
      let first = name.first
    else { return nil }
    if first == 0 { return .unix(kind, .abstract(String(decoding: name.dropFirst(), as: UTF8.self))) }
    return .unix(kind, .path(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)))
  }
}

/// The second argument of socket(2), as plain numbers.
enum SocketType {
  static let stream = CInt(SOCK_STREAM.rawValue)
  static let datagram = CInt(SOCK_DGRAM.rawValue)
  static let sequencedPacket = CInt(SOCK_SEQPACKET.rawValue)
  static let closeOnExec = CInt(SOCK_CLOEXEC.rawValue)
  static let nonBlocking = CInt(SOCK_NONBLOCK.rawValue)
}

extension SocketAddress.UnixKind {
  var socketType: CInt {
    switch self {
    case .stream: SocketType.stream
    case .datagram: SocketType.datagram
    case .sequencedPacket: SocketType.sequencedPacket
    }
  }
}

extension SocketAddress {
  /// The first argument of socket(2).
  var family: CInt {
    switch self {
    case .tcp(let ip, _), .udp(let ip, _): ip.isV6 ? AF_INET6 : AF_INET
    case .unix: AF_UNIX
    }
  }

  var socketType: CInt {
    switch self {
    case .tcp: SocketType.stream
    case .udp: SocketType.datagram
    case .unix(let kind, _): kind.socketType
    }
  }

  /// The path of a Unix socket that has one.
  var path: String? {
    if case .unix(_, .path(let path)) = self { path } else { nil }
  }
}
