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
  package init(loop: EventLoop, path: String, onMessage: @escaping (Message) -> Void) throws(SystemError) {
    self.path = path
    self.onMessage = onMessage
    let number = try retrying("create a socket") {
      socket(
        AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    }
    descriptor = FileDescriptor(owning: number)
    var on: Int32 = 1
    if setsockopt(number, SOL_SOCKET, SO_PASSCRED, &on, socklen_t(MemoryLayout<Int32>.size)) == -1 {
      throw SystemError("set SO_PASSCRED on", path)
    }
    // A leftover of a daemon that was killed; whoever holds the control socket is alone here.
    unlink(path)
    let mask = Glibc.umask(0o111)
    defer { _ = Glibc.umask(mask) }
    if cl_bind_unix(number, path) == -1 { throw SystemError("bind", path) }
    try begin(in: loop)
  }

  /// Goes on with the socket that another process handed over, from `begin` on.
  package init(restoring snapshot: Snapshot, onMessage: @escaping (Message) -> Void) {
    path = snapshot.path
    descriptor = FileDescriptor(owning: snapshot.descriptor)
    self.onMessage = onMessage
  }

  package struct Snapshot: Hashable, Sendable, Codable {
    package var path: String
    package var descriptor: CInt
  }

  package var snapshot: Snapshot { Snapshot(path: path, descriptor: descriptor.number) }

  package func begin(in loop: EventLoop) throws(SystemError) {
    // Any local user may send: at this priority a flood takes turns with the control connections.
    source = try loop.watch(descriptor.number, priority: .normal) { [weak self] _ in self?.receive() }
  }

  deinit {
    source?.cancel()
    unlink(path)
  }

  private func receive() {
    for _ in 0..<Self.messagesPerWakeUp {
      var received = cl_received()
      buffer.withUnsafeMutableBytes { cl_receive(descriptor.number, $0.baseAddress, $0.count, &received) }
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
