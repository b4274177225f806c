// Stream sockets of the file system, unix(7): what client and server need of them.

import CLinux
import Glibc

package enum UnixStream {
  /// The longest path, in bytes: `sun_path` has 108 with the closing NUL (unix(7)).
  package static let longestPath = SocketAddress.longestUnixPath

  /// A socket that is bound to nothing yet, close-on-exec.
  package static func make(_ mode: FileDescriptor.BlockingMode) throws(SystemError) -> FileDescriptor {
    let flags = SOCK_CLOEXEC.rawValue | (mode == .nonBlocking ? SOCK_NONBLOCK.rawValue : 0)
    let type = CInt(SOCK_STREAM.rawValue | flags)
    return FileDescriptor(owning: try retrying("create a socket") { Glibc.socket(AF_UNIX, type, 0) })
  }

  /// Runs a call with the address of a path; a path that is empty, too long or has a NUL is ENAMETOOLONG or EINVAL.
  package static func withAddress<Result>(
    of path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) throws(SystemError) -> Result {
    let bytes = Array(path.utf8)
    if bytes.isEmpty || bytes.contains(0) { throw SystemError("use path", "\"\(path)\"", code: EINVAL) }
    if bytes.count > longestPath { throw SystemError("use path", path, code: ENAMETOOLONG) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  /// connect(2) of a socket made here.
  package static func connect(_ socket: borrowing FileDescriptor, to path: String) throws(SystemError) {
    let number = socket.number
    let code: CInt = try withAddress(of: path) { address, length in
      // A connect that a signal interrupts goes on by itself on a stream socket of another family only (connect(2)).
      while Glibc.connect(number, address, length) == -1 {
        if errno != EINTR { return errno }
      }
      return 0
    }
    if code != 0 { throw SystemError("connect to", path, code: code) }
  }

  /// Sends some of the bytes, without a SIGPIPE, send(2); how many.
  ///
  /// EAGAIN is thrown.
  package static func send(
    _ bytes: UnsafeRawBufferPointer, to socket: borrowing FileDescriptor
  ) throws(SystemError) -> Int {
    let number = socket.number
    return try retrying("send") { Glibc.send(number, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL)) }
  }

  /// SO_PEERCRED, unix(7): who connected, or for the client: who called listen().
  package static func peer(of socket: borrowing FileDescriptor) throws(SystemError) -> Peer {
    var (pid, uid, gid): (pid_t, uid_t, gid_t) = (0, 0, 0)
    let number = socket.number
    _ = try retrying("read who is connected") { cl_peer(number, &pid, &uid, &gid) }
    return Peer(pid: pid, uid: uid)
  }

  package struct Peer: Hashable, Sendable {
    package var pid: Int32
    package var uid: UInt32
    package init(pid: Int32, uid: UInt32) {
      self.pid = pid
      self.uid = uid
    }
  }
}
