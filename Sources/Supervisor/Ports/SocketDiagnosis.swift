// Asking the kernel for sockets over netlink, sock_diag(7). Knows no fallback and no meaning of an address.

import CLinux
import Glibc

/// The kinds of tables that can be asked for.
package enum SocketProtocol: Hashable, Sendable { case tcp, udp, unix }

/// What is wanted of a table.
package struct SocketRequest: Hashable, Sendable {
  package var kind: SocketProtocol
  /// AF_INET or AF_INET6; AF_UNIX for Unix sockets.
  package var family: Int32
  /// Bits 1 << CL_STATE_….
  package var states: UInt32
  /// 0: every port.
  package var port: UInt16

  package static func listening(_ kind: SocketProtocol, family: Int32, port: UInt16 = 0) -> SocketRequest {
    // A UDP socket that waits for anybody is in the state that TCP calls CLOSE; a Unix datagram socket may
    // have a peer of its own and still be open to all.
    let states =
      switch kind {
      case .tcp: UInt32(1) << CL_STATE_LISTEN
      case .udp: UInt32(1) << CL_STATE_CLOSE
      case .unix: UInt32(1) << CL_STATE_LISTEN | 1 << CL_STATE_CLOSE | 1 << CL_STATE_ESTABLISHED
      }
    return SocketRequest(kind: kind, family: family, states: states, port: port)
  }

  /// Everything that has the port without listening: connections, what lingers of them, and bound sockets.
  ///
  /// The latter since Linux 6.8 (TCPF_BOUND_INACTIVE); /proc/net does not show them.
  package static func occupying(_ kind: SocketProtocol, family: Int32, port: UInt16) -> SocketRequest {
    SocketRequest(kind: kind, family: family, states: ~(1 << CL_STATE_LISTEN), port: port)
  }

  package static func timeWait(family: Int32, port: UInt16) -> SocketRequest {
    SocketRequest(kind: .tcp, family: family, states: 1 << CL_STATE_TIME_WAIT, port: port)
  }
}

/// A netlink socket, kept open: it is asked on the path of every relaunch, some 15 µs for a port and family.
final class SocketDiagnosis {
  /// What the kernel puts into one datagram at most (kernel: net/netlink/af_netlink.c netlink_dump).
  private static let bufferSize = 1 << 15
  /// How often a table may change under a dump before that counts as an error.
  private static let attempts = 8

  private var socket: FileDescriptor?
  private var sequence: UInt32 = 0
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 16)

  init() {}

  deinit { buffer.deallocate() }

  /// The sockets of one table.
  ///
  /// Throws what the kernel answers: EPERM, ENOENT without its module, …
  func sockets(_ request: SocketRequest) throws(SystemError) -> [ListenerEntry] {
    var attempt = 1
    while true {
      do throws(SystemError) {
        return try dump(request)
      } catch {
        socket = nil
        let changed = error.code == ESTALE || error.code == ENOBUFS || error.code == EINTR
        guard changed, attempt < Self.attempts else { throw error }
        attempt += 1
      }
    }
  }

  private func dump(_ request: SocketRequest) throws(SystemError) -> [ListenerEntry] {
    var dump = cl_diag_dump()
    dump.fd = try netlink()
    dump.sequence = sequence
    dump.buffer = buffer.baseAddress
    dump.size = buffer.count
    let asked =
      request.kind == .unix
      ? cl_diag_ask_unix(&dump, request.states)
      : cl_diag_ask_inet(
        &dump, request.family, Int32(request.kind == .tcp ? IPPROTO_TCP : IPPROTO_UDP), request.states,
        request.port)
    sequence = dump.sequence
    if asked == -1 { throw SystemError("ask for", "the kernel's socket table") }
    var found: [ListenerEntry] = []
    var row = cl_socket_row()
    while true {
      let result = cl_diag_next(&dump, &row)
      if result == -1 { throw SystemError("read", "the kernel's socket table") }
      if result == 0 { return found }
      // The port is a hint to the kernel; what it does not filter is filtered here.
      guard request.port == 0 || row.port == request.port else { continue }
      if let entry = ListenerEntry(row, of: request.kind) { found.append(entry) }
    }
  }

  private func netlink() throws(SystemError) -> CInt {
    if socket == nil {
      socket = FileDescriptor(owning: try retrying("open", "the kernel's socket table") { cl_diag_open() })
    }
    guard let number = socket?.number else { preconditionFailure("the netlink socket was just opened") }
    return number
  }
}

extension ListenerEntry {
  /// nil for what nobody can reach: a Unix socket without a name, or one that is a connection.
  fileprivate init?(_ row: cl_socket_row, of kind: SocketProtocol) {
    let address: SocketAddress
    switch kind {
    case .tcp: address = .tcp(IPAddress(row), port: row.port)
    case .udp: address = .udp(IPAddress(row), port: row.port)
    case .unix:
      guard let unix = Self.unixAddress(row) else { return nil }
      address = unix
    }
    self.init(
      address: address, inode: UInt64(row.inode), uid: row.uid == .max ? nil : row.uid,
      queued: Int(row.queued),
      limit: Int(row.limit), isV6Only: row.v6_only,
      file: row.has_file ? UnixFile(inode: row.file_inode, device: row.file_device) : nil)
  }

  private static func unixAddress(_ row: cl_socket_row) -> SocketAddress? {
    guard let kind = SocketAddress.UnixKind(socketType: Int32(row.type)), row.name_length > 0 else {
      return nil
    }
    // A connection carries the name of the listener that accepted it.
    if kind != .datagram, row.state != CL_STATE_LISTEN { return nil }
    let name = withUnsafeBytes(of: row.name) { [UInt8]($0.prefix(Int(row.name_length))) }
    if name.first == 0 {
      return .unix(kind, .abstract(String(decoding: name.dropFirst(), as: UTF8.self)))
    }
    return .unix(kind, .path(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)))
  }
}

extension SocketAddress.UnixKind {
  /// SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET as the kernel writes them.
  init?(socketType: Int32) {
    switch socketType {
    case 1: self = .stream
    case 2: self = .datagram
    case 5: self = .sequencedPacket
    default: return nil
    }
  }
}

extension IPAddress {
  fileprivate init(_ row: cl_socket_row) {
    let bytes = withUnsafeBytes(of: row.address) { $0.loadUnaligned(as: SIMD16<UInt8>.self) }
    if row.family == AF_INET6 {
      let isLinkLocal = bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
      self = .v6(bytes, scope: isLinkLocal ? row.interface : 0)
    } else {
      self = .v4(UInt32(bytes[0]) << 24 | UInt32(bytes[1]) << 16 | UInt32(bytes[2]) << 8 | UInt32(bytes[3]))
    }
  }
}
