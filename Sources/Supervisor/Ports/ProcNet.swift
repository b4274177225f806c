// /proc/net as the second source, for where netlink is refused (seccomp, an old kernel, a missing module).

import CLinux
import Glibc

package enum ProcNet {
  /// A table above this size is an error: a part of it would read as "nobody listens".
  private static let largestTable = 256 << 20

  /// The sockets of one table, /proc/net/{tcp,tcp6,udp,udp6,unix}, proc_pid_net(5).
  static func sockets(_ request: SocketRequest) throws(SystemError) -> [ListenerEntry] {
    let name = fileName(request)
    do throws(SystemError) {
      return parse(try bytes(of: "/proc/net/\(name)"), request)
    } catch {
      // Without IPv6 there is no tcp6: then nobody listens there.
      if error.code == ENOENT, request.family == AF_INET6, access("/proc/net/tcp", R_OK) == 0 { return [] }
      throw error
    }
  }

  /// The rows of a table that were asked for.
  package static func parse(_ bytes: [UInt8], _ request: SocketRequest) -> [ListenerEntry] {
    bytes.split(separator: UInt8(ascii: "\n")).dropFirst().compactMap { line in
      request.kind == .unix ? unixEntry(line) : internetEntry(line, request)
    }
  }

  private static func fileName(_ request: SocketRequest) -> String {
    switch request.kind {
    case .tcp: request.family == AF_INET6 ? "tcp6" : "tcp"
    case .udp: request.family == AF_INET6 ? "udp6" : "udp"
    case .unix: "unix"
    }
  }

  private static func bytes(of path: String) throws(SystemError) -> [UInt8] {
    let file = try FileDescriptor.open(path, O_RDONLY)
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { chunk.deallocate() }
    var bytes: [UInt8] = []
    while true {
      let count = try file.read(into: chunk)
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
      if bytes.count > largestTable { throw SystemError("read", path, code: EFBIG) }
    }
  }

  // "0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 00:00000000 00000000  1000        0 48211 …"
  private static func internetEntry(_ line: ArraySlice<UInt8>, _ request: SocketRequest) -> ListenerEntry? {
    let fields = line.split(separator: UInt8(ascii: " "))
    guard fields.count > 9, let state = hex(fields[3]), state < 32, request.states & (1 << UInt32(state)) != 0
    else { return nil }
    let local = fields[1].split(separator: UInt8(ascii: ":"))
    let queues = fields[4].split(separator: UInt8(ascii: ":"))
    guard local.count == 2, queues.count == 2, let port = hex(local[1]).flatMap({ UInt16(exactly: $0) }),
      let ip = address(local[0]), let queued = hex(queues[1]), let uid = decimal(fields[7]),
      let inode = decimal(fields[9]), request.port == 0 || request.port == port
    else { return nil }
    return ListenerEntry(
      address: request.kind == .tcp ? .tcp(ip, port: port) : .udp(ip, port: port), inode: inode,
      uid: UInt32(exactly: uid), queued: Int(clamping: queued))
  }

  // "0000…0000: 00000002 00000000 00010000 0001 01 20451 /run/app.sock"; "@" stands for NUL in a name.
  private static func unixEntry(_ line: ArraySlice<UInt8>) -> ListenerEntry? {
    let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 7)
    guard fields.count == 8, let flags = hex(fields[3]), let type = hex(fields[4]),
      let inode = decimal(fields[6]),
      let kind = SocketAddress.UnixKind(socketType: Int32(truncatingIfNeeded: type))
    else { return nil }
    // __SO_ACCEPTCON (kernel: include/uapi/linux/net.h): it listens.
    if kind != .datagram, flags & (1 << 16) == 0 { return nil }
    let name = String(decoding: fields[7], as: UTF8.self)
    let address: SocketAddress.UnixName =
      name.hasPrefix("@") ? .abstract(String(name.dropFirst())) : .path(name)
    return ListenerEntry(address: .unix(kind, address), inode: inode, uid: nil)
  }

  /// Words of 32 bits in network byte order, printed as if they were numbers of this machine.
  private static func address(_ text: ArraySlice<UInt8>) -> IPAddress? {
    guard text.count == 8 || text.count == 32 else { return nil }
    var bytes: [UInt8] = []
    for start in stride(from: text.startIndex, to: text.endIndex, by: 8) {
      guard let word = hex(text[start..<(start + 8)]) else { return nil }
      withUnsafeBytes(of: UInt32(truncatingIfNeeded: word)) { bytes.append(contentsOf: $0) }
    }
    if bytes.count == 4 {
      return .v4(UInt32(bytes[0]) << 24 | UInt32(bytes[1]) << 16 | UInt32(bytes[2]) << 8 | UInt32(bytes[3]))
    }
    return .v6(SIMD16<UInt8>(bytes), scope: 0)
  }

  private static func hex(_ text: ArraySlice<UInt8>) -> UInt64? {
    UInt64(String(decoding: text, as: UTF8.self), radix: 16)
  }

  private static func decimal(_ text: ArraySlice<UInt8>) -> UInt64? {
    UInt64(String(decoding: text, as: UTF8.self))
  }
}
