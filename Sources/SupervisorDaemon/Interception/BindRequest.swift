// One bind(2) of another process: the address in its memory, and the socket behind its descriptor.

import CLinux
import Glibc
import Supervisor

/// What a process asks for.
struct BindRequest {
  /// A path as the configuration would have it: absolute.
  let address: SocketAddress
  /// That of the socket that it wants bound.
  let inode: UInt64
  /// O_NONBLOCK is set on it.
  let isNonBlocking: Bool
  /// IPV6_V6ONLY is set on it.
  let isV6Only: Bool

  /// Reads it; nil when it is of no interest, as most calls can be told from a few bytes of their address.
  ///
  /// Throws when the process can't be looked into: ptrace(2) is not allowed, as for one that changed its user while
  /// the daemon is not root.
  init?(_ call: cl_socket_call, of interest: (KernelAddress) -> Bool) throws(SystemError) {
    var bytes = [UInt8](repeating: 0, count: MemoryLayout<sockaddr_storage>.size)
    let count = withUnsafePointer(to: call) { call in
      bytes.withUnsafeMutableBytes { cl_call_read_address(call, $0.baseAddress, $0.count) }
    }
    if count < 0 {
      if errno == ESRCH || errno == EFAULT { return nil }
      throw SystemError("read the address that process", "\(call.thread) binds")
    }
    guard let raw = KernelAddress(bytes: bytes.prefix(count)), interest(raw) else { return nil }
    guard let socket = try CallerSocket.of(call), let address = socket.meaning(of: raw) else { return nil }
    self.address = address.absolute(forThread: call.thread)
    inode = socket.inode
    isNonBlocking = socket.isNonBlocking
    isV6Only = socket.isV6Only
  }
}

extension SocketAddress {
  /// A relative path is one from the folder that the process is in.
  func absolute(forThread thread: Int32) -> SocketAddress {
    guard case .unix(let kind, .path(let path)) = self, !path.hasPrefix("/") else { return self }
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/\(thread)/cwd", &buffer, buffer.count - 1)
    guard length > 0 else { return self }
    let folder = String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let name = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
    return .unix(kind, .path(folder == "/" ? "/" + name : folder + "/" + name))
  }
}

extension KernelAddress {
  /// Whether it can mean a listener, whatever its socket's type is: the same port, or a Unix socket.
  func mayMean(_ listener: SocketAddress) -> Bool {
    switch listener {
    case .tcp(_, let port), .udp(_, let port): self.port == port
    case .unix: isUnix
    }
  }

  /// Whether it is of a family that listeners have.
  var isOfListener: Bool { isUnix || port != nil }
}
