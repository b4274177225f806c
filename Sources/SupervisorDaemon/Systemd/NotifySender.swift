// Messages to the service manager, sd_notify(3). Not sd_notify() itself: its sendmsg(2) waits when nobody reads, and
// nothing may make us wait.

import CLinux
import Glibc
import Supervisor

/// The way to whoever set NOTIFY_SOCKET.
///
/// Messages arrive in their order. What the other side does not take at once waits, up to a limit, until it reads.
package final class NotifySender {
  private let path: String
  private let loop: EventLoop
  private var socket: DescriptorBox?
  private var source: EventSource?
  private var queue: [Message] = []

  /// More than every listener of a large configuration.
  private static let limit = 4096

  private struct Message {
    var text: String
    var descriptor: DescriptorBox?
    var kind: Kind
  }

  private enum Kind { case ordinary, status }

  /// A descriptor can't be an optional that is replaced while it is in use.
  private final class DescriptorBox {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
  }

  package init(path: String, loop: EventLoop) {
    self.path = path
    self.loop = loop
  }

  deinit { source?.cancel() }

  /// Something was said that the other side did not take yet.
  package var isBehind: Bool { !queue.isEmpty }

  /// Sends "NAME=value" lines.
  package func say(_ text: String) { send(Message(text: text, descriptor: nil, kind: .ordinary)) }

  /// Sends STATUS=; one that still waits is replaced.
  package func say(status: String) {
    queue.removeAll { $0.kind == .status }
    send(Message(text: "STATUS=\(status)", descriptor: nil, kind: .status))
  }

  /// Sends lines with a descriptor, which the other side gets for itself.
  package func say(_ text: String, giving descriptor: consuming FileDescriptor) {
    send(Message(text: text, descriptor: DescriptorBox(descriptor), kind: .ordinary))
  }

  /// Waits until the other side has taken everything that was said so far, sd_notify_barrier(3); false when that takes
  /// too long.
  ///
  /// For what can't go on before: an address whose socket was taken out of the store.
  package func settle(within limit: Duration) -> Bool {
    let end = Clock.now() + limit
    var numbers: (CInt, CInt) = (-1, -1)
    let made = withUnsafeMutableBytes(of: &numbers) { cl_pipe($0.bindMemory(to: CInt.self).baseAddress) }
    guard made == 0 else { return false }
    let reading = FileDescriptor(owning: numbers.0)
    // The message has the only one of these: when the receiver closes it, the other end hangs up.
    send(
      Message(
        text: "BARRIER=1", descriptor: DescriptorBox(FileDescriptor(owning: numbers.1)), kind: .ordinary))
    while let socket, !queue.isEmpty {
      guard Self.wait(socket.descriptor.number, Int16(POLLOUT), until: end) else { return false }
      flush()
    }
    return Self.wait(reading.number, 0, until: end)
  }

  private func send(_ message: Message) {
    if queue.isEmpty, deliver(message) { return }
    guard queue.count < Self.limit else { return }
    queue.append(message)
    waitForReader()
  }

  /// False when it has to wait; what nobody is there for is gone.
  private func deliver(_ message: Message) -> Bool {
    // A restarted receiver has another socket at the same place: the old one says ECONNREFUSED, once.
    for _ in 0..<2 {
      guard let socket = connected() else { return true }
      let sent = Array(message.text.utf8).withUnsafeBytes { bytes in
        cl_send(
          socket.descriptor.number, bytes.baseAddress, bytes.count,
          message.descriptor?.descriptor.number ?? -1)
      }
      if sent != -1 { return true }
      if errno == EAGAIN || errno == ENOBUFS { return false }
      disconnect()
    }
    return true
  }

  private func flush() {
    while let first = queue.first {
      guard deliver(first) else { return }
      queue.removeFirst()
    }
    source?.setEnabled(.off)
  }

  private func waitForReader() {
    guard let socket else { return }
    if let source { return source.setEnabled(.on) }
    do throws(SystemError) {
      source = try loop.watch(socket.descriptor.number, for: .writing, priority: .logs) { [weak self] _ in
        self?.flush()
      }
    } catch {
      queue = []
    }
  }

  private func disconnect() {
    source?.cancel()
    source = nil
    socket = nil
  }

  private func connected() -> DescriptorBox? {
    if let socket { return socket }
    let number = cl_connect_datagram(path)
    guard number >= 0 else { return nil }
    socket = DescriptorBox(FileDescriptor(owning: number))
    return socket
  }

  private static func wait(_ number: CInt, _ events: Int16, until end: Instant) -> Bool {
    var entry = pollfd(fd: number, events: events, revents: 0)
    while true {
      let left = max(.zero, end - Clock.now())
      let result = poll(&entry, 1, Int32(clamping: left.wholeNanoseconds / 1_000_000))
      if result == -1, errno == EINTR { continue }
      return result == 1
    }
  }
}
