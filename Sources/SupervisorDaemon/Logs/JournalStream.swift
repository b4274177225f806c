// A service's output on its way to journald, which may stall, restart or be gone. Cuts nothing, keeps
// nothing.

import Glibc
import Supervisor

/// A stream to the journal for one service, connected again when journald was restarted.
final class JournalStream {
  /// Bytes that may wait for journald, for each service.
  private static let limit = 64 << 10
  private static let pause: Duration = .seconds(1)

  private let service: String
  private unowned let context: LogContext
  private var output: NonBlockingOutput?
  private var lines = LineAssembly()
  private var lost = 0
  private var nextAttempt = Clock.now()

  /// Throws when there is no journald.
  init(service: String, in context: LogContext) throws(SystemError) {
    (self.service, self.context) = (service, context)
    output = try connect()
  }

  /// Passes the bytes on as whole lines, or counts what is lost.
  func write(_ bytes: UnsafeRawBufferPointer) {
    var complete: [UInt8] = []
    complete.reserveCapacity(bytes.count + 256)
    lines.add(bytes) { line in
      complete.append(contentsOf: line)
      complete.append(newline)
    }
    send(complete)
  }

  /// Ends a partial line.
  func finishLine() {
    var rest: [UInt8] = []
    lines.finish { rest = Array($0) + [newline] }
    send(rest)
  }

  private func send(_ lines: [UInt8]) {
    guard !lines.isEmpty else { return }
    if output == nil || output?.isBroken == true { reconnect() }
    if let output {
      output.write(lines)
    } else {
      lost += lines.withUnsafeBytes { newlines(in: $0) }
    }
  }

  private func reconnect() {
    lost += output?.lost ?? 0
    output = nil
    guard Clock.now() >= nextAttempt else { return }
    nextAttempt = Clock.now() + Self.pause
    do throws(SystemError) {
      output = try connect()
      lost = 0
    } catch {
      context.log.log(.debug, service: service, "\(error); output is dropped")
    }
  }

  private func connect() throws(SystemError) -> NonBlockingOutput {
    try NonBlockingOutput(
      try context.connectToJournal(service), loop: context.loop, limit: Self.limit,
      cause: "journald did not read",
      alreadyLost: lost)
  }
}
