// What one client has yet to read. Bounded by whoever appends.

import Glibc
import Supervisor

/// Messages that the socket did not take yet, in order.
struct OutputQueue {
  private var messages: [[UInt8]] = []
  /// Messages before this one are sent.
  private var first = 0
  /// Bytes of the first message that are sent.
  private var sent = 0
  /// Bytes that wait.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ message: [UInt8]) {
    messages.append(message)
    count += message.count
  }

  /// Everything that waits, as one piece.
  var bytes: [UInt8] { Array(messages[first...].joined().dropFirst(sent)) }

  mutating func removeAll() { self = OutputQueue() }

  /// What became of an attempt to send.
  enum Outcome { case some, nothing, broken }

  /// Sends as much as the socket takes.
  mutating func send(to socket: borrowing FileDescriptor) -> Outcome {
    var outcome = Outcome.nothing
    while first < messages.count {
      let wanted = messages[first].count - sent
      let took: Int
      do throws(SystemError) {
        took = try sendFirst(to: socket)
      } catch {
        return error.code == EAGAIN ? outcome : .broken
      }
      outcome = .some
      advance(took)
      if took < wanted { return outcome }
    }
    return outcome
  }

  private func sendFirst(to socket: borrowing FileDescriptor) throws(SystemError) -> Int {
    try messages[first].withUnsafeBufferPointer { bytes throws(SystemError) in
      try UnixStream.send(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[sent...])), to: socket)
    }
  }

  private mutating func advance(_ bytes: Int) {
    sent += bytes
    count -= bytes
    guard sent == messages[first].count else { return }
    messages[first] = []
    first += 1
    sent = 0
    if first == messages.count { removeAll() }
    if first > 256 {
      messages.removeFirst(first)
      first = 0
    }
  }
}
