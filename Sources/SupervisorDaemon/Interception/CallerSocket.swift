// The socket behind a descriptor of another process that waits in a call.

import CLinux
import Glibc
import Supervisor

/// The same open file as a descriptor of the caller, pidfd_getfd(2).
///
/// Whose it is, is known only when the call proved to be pending still after it was taken.
struct CallerSocket: ~Copyable {
  private let descriptor: FileDescriptor
  /// The inode in sockfs.
  let inode: UInt64

  private init(_ descriptor: consuming FileDescriptor, inode: UInt64) {
    self.descriptor = descriptor
    self.inode = inode
  }

  /// Takes it; nil when the caller is gone, or has no socket there.
  ///
  /// Throws when the process can't be looked into: ptrace(2) is not allowed, as for one that changed its user while
  /// the daemon is not root.
  static func of(_ call: cl_socket_call) throws(SystemError) -> CallerSocket? {
    guard let leader = ProcessTable.leader(ofThread: call.thread) else { return nil }
    let process = cl_pidfd_open(leader)
    guard process >= 0 else { return nil }
    let pidfd = FileDescriptor(owning: process)
    let number = cl_pidfd_getfd(pidfd.number, call.descriptor)
    guard number >= 0 else {
      if errno == EBADF || errno == ESRCH { return nil }
      throw SystemError("look at descriptor \(call.descriptor) of process", "\(leader)")
    }
    let descriptor = FileDescriptor(owning: number)
    let status = try descriptor.status()
    return status.isSocket ? CallerSocket(descriptor, inode: UInt64(status.st_ino)) : nil
  }

  /// For system calls only.
  var number: CInt { descriptor.number }

  /// O_NONBLOCK is set.
  var isNonBlocking: Bool { cl_fcntl(number, F_GETFL, 0) & O_NONBLOCK != 0 }

  /// IPV6_V6ONLY is set.
  var isV6Only: Bool {
    option(SOL_SOCKET, SO_DOMAIN) == AF_INET6 && option(CInt(IPPROTO_IPV6), IPV6_V6ONLY) == 1
  }

  /// What it is bound to; nil when that is nothing that the configuration can express.
  var address: SocketAddress? {
    do throws(SystemError) { return meaning(of: try KernelAddress(of: number)) } catch { return nil }
  }

  /// Gives the descriptor away.
  consuming func release() -> FileDescriptor { descriptor }

  /// What an address means for a socket of its type; nil when the configuration can't express that.
  func meaning(of address: KernelAddress) -> SocketAddress? {
    guard let type = option(SOL_SOCKET, SO_TYPE), let protocolNumber = option(SOL_SOCKET, SO_PROTOCOL) else {
      return nil
    }
    return address.decoded(type: type, protocolNumber: protocolNumber)
  }

  /// getsockopt(2); nil when the kernel does not know it for such a socket.
  func option(_ level: CInt, _ name: CInt) -> CInt? { KernelOption.read(number, level, name) }
}
