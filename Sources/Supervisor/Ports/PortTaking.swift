// Takes a TCP port from a process that lives on: through a copy of its descriptor, pidfd_getfd(2).

import CLinux
import Glibc

package enum PortTaking {
  /// Ends the listening on a socket of another process, and lets others bind its address.
  ///
  /// shutdown(2) of a listening TCP socket closes it, and it stays bound: whoever binds the address from then on needs
  /// SO_REUSEADDR, as this socket gets it here (socket(7); kernel: net/ipv4/inet_connection_sock.c,
  /// inet_csk_bind_conflict()). For all who have the same open socket, in whatever process.
  ///
  /// - Returns: false when the descriptor is another one by now, or the process is gone.
  package static func take(
    _ inode: UInt64, at descriptor: Int32, from identity: ProcessIdentity
  ) throws(SystemError) -> Bool {
    let socket: FileDescriptor
    do throws(SystemError) {
      let process = try PidFD.open(identity)
      let copy = cl_pidfd_getfd(process.descriptor.number, descriptor)
      if copy == -1 { throw SystemError("take descriptor \(descriptor) of process", "\(identity.pid)") }
      socket = FileDescriptor(owning: copy)
    } catch {
      if error.code == ESRCH || error.code == EBADF { return false }
      throw error
    }
    guard try socket.status().st_ino == inode else { return false }
    var on: CInt = 1
    if setsockopt(socket.number, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size)) == -1 {
      throw SystemError("set SO_REUSEADDR on the socket of process", "\(identity.pid)")
    }
    var isListening: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    if getsockopt(socket.number, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == -1 {
      throw SystemError("look at the socket of process", "\(identity.pid)")
    }
    if isListening != 0, shutdown(socket.number, CInt(SHUT_RD)) == -1, errno != ENOTCONN {
      throw SystemError("shut down the socket of process", "\(identity.pid)")
    }
    return true
  }
}
