// The messages of keeper.h as they come in, and the descriptors that a keeper has for itself.

import CKeeper
import CLinux
import Glibc
import Supervisor

/// Reading from a keeper.
enum KeeperWire {
  /// A descriptor that came along; closed unless it is taken.
  final class Passed {
    private var descriptor: FileDescriptor?
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = consume descriptor }

    func take() -> FileDescriptor? {
      let taken = descriptor.take()
      return taken
    }
  }

  struct Received {
    /// The head of every message.
    var message: keeper_message
    /// Of a KEEPER_HELLO.
    var hello: keeper_hello?
    var descriptor: Passed?
    /// The sender, where the kernel was asked for him.
    var sender: Int32?
  }

  /// The next message; nil when there is none now, or none any more, or what came is none.
  static func receive(from connection: CInt) -> Received? {
    var buffer = keeper_hello()
    var received = cl_received()
    withUnsafeMutableBytes(of: &buffer) { cl_receive(connection, $0.baseAddress, $0.count, &received) }
    let passed: Passed? =
      received.descriptor_count > 0 ? Passed(FileDescriptor(owning: received.descriptors.0)) : nil
    guard received.length >= MemoryLayout<keeper_message>.size else { return nil }
    let isWhole = received.length == MemoryLayout<keeper_hello>.size
    return Received(
      message: buffer.head, hello: isWhole && buffer.head.kind == KEEPER_HELLO.rawValue ? buffer : nil,
      descriptor: passed, sender: received.has_credentials ? received.pid : nil)
  }
}

extension KeeperWire {
  /// Whether the other end is closed: a keeper is the only one that has it, so it is gone, then.
  static func hasHungUp(_ connection: CInt) -> Bool {
    var question = pollfd(fd: connection, events: 0, revents: 0)
    return poll(&question, 1, 0) == 1 && question.revents & Int16(POLLHUP) != 0
  }
}

/// What only the keeper itself gets, in this order.
struct KeeperDescriptors: Hashable {
  /// The directory of the cgroup that the main process is created in: closed after that.
  var cgroup: CInt?
  var door: CInt?
  var notify: CInt?
  var output: CInt?
  var listeners: [CInt] = []

  var all: [CInt] { [cgroup, door, notify, output].compactMap { $0 } + listeners }

  /// The same with the numbers that they have in the keeper.
  func numbered(from first: Int) -> KeeperDescriptors {
    var next = CInt(first)
    func number(_ descriptor: CInt?) -> CInt? {
      guard descriptor != nil else { return nil }
      defer { next += 1 }
      return next
    }
    return KeeperDescriptors(
      cgroup: number(cgroup), door: number(door), notify: number(notify), output: number(output),
      listeners: listeners.compactMap(number))
  }
}
