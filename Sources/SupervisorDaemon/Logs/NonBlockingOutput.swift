// Lines to somebody who may be slow, asleep or gone: the daemon's own stderr, or a stream to journald.
// Responsible for never waiting and for telling what was lost; knows nothing of what the lines say.
// The program ignores SIGPIPE, SIGTTOU and SIGXFSZ (signal(7)): each would end or stop it in a write.

import Glibc
import Supervisor

/// A descriptor that takes whole lines and never makes the writer wait.
///
/// What the other side does not take at once waits in a bounded queue, which the loop flushes; when that is
/// full, lines are dropped and counted, and the count is written when lines flow again.
package final class NonBlockingOutput {
  package let isTerminal: Bool
  /// The other side is gone for good, as after EPIPE on a socket; a caller may put another output in place.
  package private(set) var isBroken = false
  /// Lines that are lost and not yet told of.
  package private(set) var lost: Int

  /// What waited when the other side went away, and how many lost lines were counted for it.
  private var undelivered: (bytes: [UInt8], lines: Int) = ([], 0)
  private let channel: OutputChannel
  private let loop: EventLoop
  private let limit: Int
  private let cause: String
  private var reason: String
  private var queue: [UInt8] = []
  /// What of the queue was written.
  private var sent = 0
  /// A note about lost lines that is in the queue: how many it tells of, and where it ends.
  private var note: (lines: Int, end: Int)?
  private var source: EventSource?
  private var isWaiting = false

  /// `limit` is the most that waits, in bytes; `cause` says why lines are dropped when the queue is full.
  package init(
    _ descriptor: consuming FileDescriptor, loop: EventLoop, limit: Int = 256 << 10,
    cause: String = "nobody reads the log", alreadyLost: Int = 0
  ) throws(SystemError) {
    isTerminal = isatty(descriptor.number) == 1
    channel = try OutputChannel(descriptor)
    lost = alreadyLost
    reason = cause
    (self.loop, self.limit, self.cause) = (loop, limit, cause)
  }

  deinit { source?.cancel() }

  /// For a daemon that is replaced: the descriptor, which stays open, and what did not get through it.
  package var descriptor: CInt { channel.number }

  package struct Unsent: Hashable, Sendable, Codable {
    package var bytes: ExactBytes
    package var lost: Int
  }

  package var unsent: Unsent { Unsent(bytes: ExactBytes(Array(queue[sent...])), lost: lost) }

  /// What another process could not send goes first.
  package func begin(with unsent: Unsent) {
    queue = unsent.bytes.bytes + queue[sent...]
    sent = 0
    lost += unsent.lost
    if !isWaiting { flush() }
  }

  /// Bytes that wait for the other side.
  package var waiting: Int { queue.count - sent }

  /// Writes whole lines: at once, or later, or never.
  package func write(_ lines: UnsafeRawBufferPointer) {
    guard !lines.isEmpty else { return }
    tellOfLossIfItFlows()
    enqueue(lines)
    if !isWaiting { flush() }
  }

  package func write(_ lines: [UInt8]) { lines.withUnsafeBytes { write($0) } }

  /// Writes what waits, as far as the other side takes it now.
  package func flush() {
    while sent < queue.count {
      let outcome = queue.withUnsafeBytes { channel.write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
      switch outcome {
      case .wrote(let count): sent += count
      case .wouldWait: return wait()
      case .failed(let code): return fail(code)
      }
      tellOfLossIfItFlows()
    }
    forgetWhatWasSent()
    stopWaiting()
  }

  /// What a broken output did not get rid of, for another one in its place: it counts as lost no more.
  package func takeUndelivered() -> [UInt8] {
    lost -= undelivered.lines
    defer { undelivered = ([], 0) }
    return undelivered.bytes
  }

  private func enqueue(_ lines: UnsafeRawBufferPointer) {
    // Once something was lost, nothing is taken before the note about it: its place in the text tells where.
    let room = lost > 0 ? 0 : limit - waiting
    let fitting = lines.count <= room ? lines.count : (lastNewline(in: lines, before: room) ?? -1) + 1
    if fitting > 0 {
      if sent > 0, sent >= waiting { forgetWhatWasSent() }
      queue.append(contentsOf: UnsafeRawBufferPointer(rebasing: lines[..<fitting]))
    }
    if fitting < lines.count {
      if lost == 0 { reason = cause }
      lost += max(1, newlines(in: UnsafeRawBufferPointer(rebasing: lines[fitting...])))
    }
  }

  /// Half of the queue has to be free first, else a slow reader would get more notes than lines.
  private func tellOfLossIfItFlows() {
    guard lost > 0, waiting <= limit / 2 else { return }
    let counted = lost == 1 ? "1 line" : "\(lost) lines"
    queue.append(contentsOf: Array("fdsupervisord: \(counted) dropped: \(reason)\n".utf8))
    note = (lines: lost, end: queue.count)
    lost = 0
  }

  /// Drops what waits: the device is full, or nobody is there any more.
  private func fail(_ code: Int32) {
    let pending = queue.withUnsafeBytes { newlines(in: UnsafeRawBufferPointer(rebasing: $0[sent...])) }
    let told = note.flatMap { sent < $0.end ? $0.lines : nil }
    // A note that was not delivered is no lost line; what it told of still is untold.
    let newlyLost = pending - (told == nil ? 0 : 1) + (told ?? 0)
    lost += newlyLost
    reason = SystemError.text(code)
    isBroken = channel.isSocket && code != ENOBUFS && code != ENOMEM
    if isBroken { undelivered = (Array(queue[sent...]), newlyLost) }
    sent = queue.count
    forgetWhatWasSent()
    stopWaiting()
  }

  private func forgetWhatWasSent() {
    if sent == queue.count {
      // A burst's memory is given back; that of ordinary lines stays.
      queue.removeAll(keepingCapacity: queue.capacity <= 64 << 10)
    } else {
      queue.removeFirst(sent)
    }
    note = note.flatMap { $0.end > sent ? (lines: $0.lines, end: $0.end - sent) : nil }
    sent = 0
  }

  private func wait() {
    guard !isWaiting else { return }
    isWaiting = true
    if let source { return source.setEnabled(.on) }
    do throws(SystemError) {
      source = try loop.watch(channel.number, for: .writing, priority: .logs) { [weak self] _ in self?.flush()
      }
    } catch {
      fail(error.code)
    }
  }

  private func stopWaiting() {
    guard isWaiting else { return }
    isWaiting = false
    source?.setEnabled(.off)
  }
}
