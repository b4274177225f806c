// A service's output on its way to journald, which may stall, restart or be gone. Cuts nothing, and keeps what fits
// until journald is back.

import Glibc
import Supervisor

/// A stream to the journal for one service, connected again when journald was restarted.
final class JournalStream {
  /// Bytes that may wait for journald, for each service.
  private static let limit = 64 << 10
  /// Of what waits for a connection: together with the note about what is lost it fits into the queue of one.
  private static let keptLimit = limit - (1 << 10)
  /// Between two attempts to connect, growing while they fail; without output there is none.
  private static let pauses: ClosedRange<Duration> = .seconds(1) ... .seconds(60)
  private static let cause = "journald did not read"

  private let service: String
  private unowned let context: LogContext
  private var output: NonBlockingOutput?
  private var lines = LineAssembly()
  /// Whole lines that wait for a connection.
  private var waiting: [UInt8] = []
  private var lost = 0
  private var pause = JournalStream.pauses.lowerBound
  private var nextAttempt = Clock.now()
  private var timer: EventSource?

  /// Throws when there is no journald.
  init(service: String, in context: LogContext) throws(SystemError) {
    (self.service, self.context) = (service, context)
    output = try connect()
  }

  deinit { timer?.cancel() }

  /// Goes on with the connection that another process handed over, or soon with a new one when there is none.
  init(restoring snapshot: Snapshot, service: String, in context: LogContext) {
    (self.service, self.context) = (service, context)
    lines = LineAssembly(partial: snapshot.partial.bytes)
    do throws(SystemError) {
      guard let descriptor = snapshot.descriptor else {
        throw SystemError("go on with the journal", code: ENOTCONN)
      }
      output = try NonBlockingOutput(
        FileDescriptor(owning: descriptor), loop: context.loop, limit: Self.limit, cause: Self.cause)
      output?.begin(with: snapshot.unsent)
    } catch {
      (waiting, lost) = (snapshot.unsent.bytes.bytes, snapshot.unsent.lost)
      if !waiting.isEmpty { tryLater() }
    }
  }

  struct Snapshot: Hashable, Sendable, Codable {
    var descriptor: CInt?
    var unsent: NonBlockingOutput.Unsent
    var partial: ExactBytes
  }

  /// One stream at one moment, after what a journald that went away did not take is its own again.
  func snapshot() -> Snapshot {
    takeBackFromBroken()
    return Snapshot(
      descriptor: output?.descriptor, unsent: output?.unsent ?? .init(bytes: ExactBytes(waiting), lost: lost),
      partial: ExactBytes(lines.partial))
  }

  /// Passes the bytes on as whole lines; what has no room is counted.
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
    takeBackFromBroken()
    if let output {
      output.write(lines)
      takeBackFromBroken()
    } else {
      keep(lines)
    }
    if output == nil { connectAgain() }
  }

  /// journald went away: what it did not take waits for the next one.
  private func takeBackFromBroken() {
    guard let output, output.isBroken else { return }
    keep(output.takeUndelivered())
    lost += output.lost
    self.output = nil
  }

  /// The last lines are kept, whole; those before them are counted.
  private func keep(_ lines: [UInt8]) {
    waiting += lines
    guard waiting.count > Self.keptLimit else { return }
    let end = waiting[(waiting.count - Self.keptLimit - 1)...].firstIndex(of: newline) ?? waiting.endIndex - 1
    lost += waiting[...end].count { $0 == newline }
    waiting.removeSubrange(...end)
  }

  private func connectAgain() {
    guard Clock.now() >= nextAttempt else { return tryLater() }
    do throws(SystemError) {
      output = try connect()
      (lost, pause, timer) = (0, Self.pauses.lowerBound, nil)
      nextAttempt = Clock.now() + pause
      output?.write(waiting)
      waiting = []
    } catch {
      context.log.log(.debug, service: service, "\(error); its output waits")
      nextAttempt = Clock.now() + pause
      pause = min(pause * 2, Self.pauses.upperBound)
      timer = nil
      tryLater()
    }
  }

  private func tryLater() {
    guard timer == nil else { return }
    do throws(SystemError) {
      timer = try context.loop.timer(at: nextAttempt, priority: .logs) { [weak self] in
        self?.timer = nil
        self?.connectAgain()
      }
    } catch {
      context.log.log(.debug, service: service, "\(error)")
    }
  }

  private func connect() throws(SystemError) -> NonBlockingOutput {
    try NonBlockingOutput(
      try context.connectToJournal(service), loop: context.loop, limit: Self.limit,
      cause: Self.cause, alreadyLost: lost)
  }
}
