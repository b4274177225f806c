// One bind(2) of another process: the address in its memory, and the socket behind its descriptor.

import CLinux
import Glibc
import Supervisor

/// What a process asks for.
struct BindRequest {
  /// A path as the configuration would have it: absolute.
  let address: SocketAddress
  /// O_NONBLOCK is set on the socket that it wants bound.
  let isNonBlocking: Bool

  /// Reads it; nil when it can be none of these listeners, as most calls can be told from a few bytes of their address.
  ///
  /// Throws when the process can't be looked into: ptrace(2) is not allowed, as for one that changed its user while
  /// the daemon is not root.
  init?(_ call: cl_bind_call, among listeners: [SocketAddress]) throws(SystemError) {
    var bytes = [UInt8](repeating: 0, count: MemoryLayout<sockaddr_storage>.size)
    let count = withUnsafePointer(to: call) { call in
      bytes.withUnsafeMutableBytes { cl_bind_read_address(call, $0.baseAddress, $0.count) }
    }
    if count < 0 {
      if errno == ESRCH || errno == EFAULT { return nil }
      throw SystemError("read the address that process", "\(call.thread) binds")
    }
    guard let raw = KernelAddress(bytes: bytes.prefix(count)),
      listeners.contains(where: { raw.mayMean($0) })
    else { return nil }
    guard let socket = try Self.socket(of: call) else { return nil }
    guard let type = KernelOption.read(socket.number, SOL_SOCKET, SO_TYPE),
      let protocolNumber = KernelOption.read(socket.number, SOL_SOCKET, SO_PROTOCOL),
      let address = raw.decoded(type: type, protocolNumber: protocolNumber)
    else { return nil }
    self.address = Self.absolute(address, thread: call.thread)
    isNonBlocking = cl_fcntl(socket.number, F_GETFL, 0) & O_NONBLOCK != 0
  }

  /// The same open file as the caller's descriptor, pidfd_getfd(2).
  private static func socket(of call: cl_bind_call) throws(SystemError) -> FileDescriptor? {
    guard let leader = ProcessTable.leader(ofThread: call.thread) else { return nil }
    let process = cl_pidfd_open(leader)
    guard process >= 0 else { return nil }
    let pidfd = FileDescriptor(owning: process)
    let number = cl_pidfd_getfd(pidfd.number, call.descriptor)
    if number >= 0 { return FileDescriptor(owning: number) }
    if errno == EBADF || errno == ESRCH { return nil }
    throw SystemError("look at descriptor \(call.descriptor) of process", "\(leader)")
  }

  /// A relative path is one from the folder that the process is in.
  private static func absolute(_ address: SocketAddress, thread: Int32) -> SocketAddress {
    guard case .unix(let kind, .path(let path)) = address, !path.hasPrefix("/") else { return address }
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/\(thread)/cwd", &buffer, buffer.count - 1)
    guard length > 0 else { return address }
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
}
