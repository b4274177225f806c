// The socket of sd_notify(3) for services: one for the daemon, told apart by the sender's pid.

import CLinux
import Glibc
import Supervisor

/// Receives notifications.
///
/// Descriptors that come along are closed; who the sender is, others decide.
package final class NotifySocket {
  package let path: String
  private let descriptor: FileDescriptor
  private let onMessage: (Message) -> Void
  private var source: EventSource?
  /// Those of daemons before this one: who connected to one of them goes on sending there.
  private var former: [Former] = []
  private var buffer = [UInt8](repeating: 0, count: 4096)

  /// A datagram from a process that the kernel vouches for (SCM_CREDENTIALS, unix(7)).
  package struct Message: Hashable, Sendable {
    package var pid: Int32
    /// The lines "NAME=value".
    package var fields: [String]
  }

  /// So many datagrams are read in one go, so that a flood delays nobody.
  private static let messagesPerWakeUp = 16

  /// Binds the socket; any local user may send to it, and only what comes from a service counts.
  ///
  /// - Parameter former: the socket at this path, which a keeper of a daemon before this one kept. It is gone on with,
  ///   so that its services find somebody there even when this daemon dies.
  package convenience init(
    loop: EventLoop, path: String, former: consuming FileDescriptor? = nil,
    onMessage: @escaping (Message) -> Void
  ) throws(SystemError) {
    var status = stat()
    let isThere = lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    if let former, isThere {
      try self.init(former, path, loop, onMessage)
    } else {
      try self.init(try Self.bound(to: path), path, loop, onMessage)
    }
  }

  private init(
    _ descriptor: consuming FileDescriptor, _ path: String, _ loop: EventLoop,
    _ onMessage: @escaping (Message) -> Void
  ) throws(SystemError) {
    self.path = path
    self.onMessage = onMessage
    self.descriptor = descriptor
    try begin(in: loop)
  }

  private static func bound(to path: String) throws(SystemError) -> FileDescriptor {
    let number = try retrying("create a socket") {
      socket(
        AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    }
    let descriptor = FileDescriptor(owning: number)
    var on: Int32 = 1
    if setsockopt(number, SOL_SOCKET, SO_PASSCRED, &on, socklen_t(MemoryLayout<Int32>.size)) == -1 {
      throw SystemError("set SO_PASSCRED on", path)
    }
    // A leftover of a daemon that was killed; whoever holds the control socket is alone here.
    unlink(path)
    let mask = Glibc.umask(0o111)
    defer { _ = Glibc.umask(mask) }
    if cl_bind_unix(number, path) == -1 { throw SystemError("bind", path) }
    return descriptor
  }

  /// Goes on with the sockets that another process handed over, from `begin` on.
  package init(restoring snapshot: Snapshot, onMessage: @escaping (Message) -> Void) throws(SystemError) {
    path = snapshot.path
    descriptor = FileDescriptor(owning: snapshot.descriptor)
    self.onMessage = onMessage
    for number in snapshot.former {
      let socket = FileDescriptor(owning: number)
      let inode = try socket.status().st_ino
      former.append(Former(socket, inode: inode))
    }
  }

  package struct Snapshot: Hashable, Sendable, Codable {
    package var path: String
    package var descriptor: CInt
    /// Those of daemons before.
    package var former: [CInt]

    package var descriptors: [CInt] { [descriptor] + former }
  }

  package var snapshot: Snapshot {
    Snapshot(path: path, descriptor: descriptor.number, former: former.map(\.number))
  }

  package func begin(in loop: EventLoop) throws(SystemError) {
    source = try watch(descriptor.number, loop)
    for one in former { one.source = try watch(one.number, loop) }
  }

  /// Any local user may send: at this priority a flood takes turns with the control connections.
  private func watch(_ number: CInt, _ loop: EventLoop) throws(SystemError) -> EventSource {
    try loop.watch(number, priority: .normal) { [weak self] _ in self?.receive(from: number) }
  }

  /// For a keeper to keep: what is sent while there is no daemon waits in it.
  package var number: CInt { descriptor.number }

  /// Listens on the socket of a daemon before this one, too, which a keeper kept.
  package func join(_ socket: consuming FileDescriptor, loop: EventLoop) throws(SystemError) {
    let inode = try socket.status().st_ino
    if try descriptor.status().st_ino == inode || former.contains(where: { $0.inode == inode }) { return }
    let one = Former(socket, inode: inode)
    one.source = try watch(one.number, loop)
    former.append(one)
  }

  private final class Former {
    let inode: ino_t
    var source: EventSource?
    private let descriptor: FileDescriptor
    var number: CInt { descriptor.number }
    init(_ descriptor: consuming FileDescriptor, inode: ino_t) {
      self.descriptor = descriptor
      self.inode = inode
    }
    // The source goes first: it watches the socket.
    deinit { source?.cancel() }
  }

  deinit {
    source?.cancel()
    unlink(path)
  }

  private func receive(from number: CInt) {
    for _ in 0..<Self.messagesPerWakeUp {
      var received = cl_received()
      buffer.withUnsafeMutableBytes { cl_receive(number, $0.baseAddress, $0.count, &received) }
      if received.length < 0 { return }
      closeDescriptors(&received)
      guard received.has_credentials, received.length > 0 else { continue }
      let text = String(decoding: buffer.prefix(received.length), as: UTF8.self)
      onMessage(Message(pid: received.pid, fields: text.split(separator: "\n").map(String.init)))
    }
  }

  private func closeDescriptors(_ received: inout cl_received) {
    withUnsafeBytes(of: &received.descriptors) { bytes in
      for number in bytes.bindMemory(to: CInt.self).prefix(Int(received.descriptor_count)) {
        FileDescriptor(owning: number).close()
      }
    }
  }
}
