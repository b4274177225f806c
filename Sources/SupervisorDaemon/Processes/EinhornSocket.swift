// The socket at which workers acknowledge as Einhorn has it, EINHORN_SOCK_PATH: one for the daemon, told apart by the
// sender's pid.

import CLinux
import Glibc
import Supervisor

/// Takes a line from each connection, and closes it, as Einhorn does.
package final class EinhornSocket {
  package let path: String
  private let listener: FileDescriptor
  private let loop: EventLoop
  private let onAcknowledgement: (_ pid: Int32) -> Void
  private var source: EventSource?
  /// In the order in which they came.
  private var connections: [Connection] = []

  /// Any local user may connect: who comes too many takes the place of the oldest.
  private static let mostConnections = 16
  private static let longestLine = 4096
  private static let backlog: CInt = 64

  /// - Parameter onAcknowledgement: with a pid that the kernel vouches for (SCM_CREDENTIALS, unix(7)).
  package init(
    loop: EventLoop, path: String, onAcknowledgement: @escaping (_ pid: Int32) -> Void
  ) throws(SystemError) {
    self.path = path
    self.loop = loop
    self.onAcknowledgement = onAcknowledgement
    listener = try Self.listening(at: path)
    try watch()
  }

  /// Goes on with the socket that another process handed over; who is in the middle of a line is not.
  package init(
    restoring snapshot: Snapshot, loop: EventLoop, onAcknowledgement: @escaping (_ pid: Int32) -> Void
  ) throws(SystemError) {
    path = snapshot.path
    listener = FileDescriptor(owning: snapshot.descriptor)
    self.loop = loop
    self.onAcknowledgement = onAcknowledgement
    try watch()
  }

  package struct Snapshot: Hashable, Sendable, Codable {
    package var path: String
    package var descriptor: CInt
  }

  package var snapshot: Snapshot { Snapshot(path: path, descriptor: listener.number) }

  deinit {
    source?.cancel()
    unlink(path)
  }

  private static func listening(at path: String) throws(SystemError) -> FileDescriptor {
    let descriptor = try UnixStream.make(.nonBlocking)
    // What is accepted from it has this, too.
    var on: Int32 = 1
    if setsockopt(descriptor.number, SOL_SOCKET, SO_PASSCRED, &on, socklen_t(MemoryLayout<Int32>.size)) == -1
    {
      throw SystemError("set SO_PASSCRED on", path)
    }
    // A leftover of a daemon that was killed; whoever holds the control socket is alone here.
    unlink(path)
    let mask = Glibc.umask(0o111)
    defer { _ = Glibc.umask(mask) }
    if cl_bind_unix(descriptor.number, path) == -1 { throw SystemError("bind", path) }
    if listen(descriptor.number, backlog) == -1 { throw SystemError("listen at", path) }
    return descriptor
  }

  private func watch() throws(SystemError) {
    source = try loop.watch(listener.number, priority: .normal) { [weak self] _ in self?.accept() }
  }

  private func accept() {
    let number = cl_accept(listener.number)
    if number == -1 { return }
    if connections.count == Self.mostConnections { connections.removeFirst() }
    let connection = Connection(FileDescriptor(owning: number))
    do throws(SystemError) {
      connection.source = try loop.watch(number, priority: .normal) { [weak self, weak connection] _ in
        if let self, let connection { hear(connection) }
      }
      connections.append(connection)
    } catch {
      // Without a watch it would never be heard: the worker meets its end instead.
    }
  }

  private func hear(_ connection: Connection) {
    var received = cl_received()
    var buffer = [UInt8](repeating: 0, count: Self.longestLine)
    buffer.withUnsafeMutableBytes { cl_receive(connection.number, $0.baseAddress, $0.count, &received) }
    if received.length < 0, errno == EAGAIN { return }
    closeDescriptors(&received)
    connection.line += buffer.prefix(max(0, received.length))
    let hasLine = connection.line.contains(UInt8(ascii: "\n"))
    let isOver = received.length <= 0 || connection.line.count >= Self.longestLine
    guard hasLine || isOver else { return }
    connections.removeAll { $0 === connection }
    let line = connection.line.prefix { $0 != UInt8(ascii: "\n") }
    if hasLine, received.has_credentials, EinhornMessage.isAcknowledgement(line) {
      onAcknowledgement(received.pid)
    }
  }

  private func closeDescriptors(_ received: inout cl_received) {
    withUnsafeBytes(of: &received.descriptors) { bytes in
      for number in bytes.bindMemory(to: CInt.self).prefix(Int(received.descriptor_count)) {
        FileDescriptor(owning: number).close()
      }
    }
  }

  private final class Connection {
    var source: EventSource?
    var line: [UInt8] = []
    private let descriptor: FileDescriptor
    var number: CInt { descriptor.number }
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    // The source goes first: it watches the socket.
    deinit { source?.cancel() }
  }
}
