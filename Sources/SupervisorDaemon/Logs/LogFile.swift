// One log file: appended to, rotated by size at a line's end. A full disk loses output, which is counted and
// told. Rotation itself is LogRotation's.

import Glibc
import Supervisor

/// A service's log file.
///
/// A file that somebody moved, removed or truncated is noticed within a second of writing, or by `reopen()`.
final class LogFile {
  private let definition: LogFileDefinition
  private let service: String
  private let log: DaemonLog
  private var open: OpenLogFile?
  private var lost = LostOutput()
  private var nextLook = Clock.now()
  private static let lookEvery: Duration = .seconds(1)

  /// Output that no disk took.
  private struct LostOutput {
    var bytes = 0
    /// The file may end in the middle of a line.
    var isInLine = false
    var toldAt: Instant?
    /// A disk that is full and not full by turns does not fill the daemon's log.
    static let pause: Duration = .seconds(1)
  }

  init(_ definition: LogFileDefinition, service: String, log: DaemonLog) {
    (self.definition, self.service, self.log) = (definition, service, log)
  }

  /// Goes on with the file that another process had open; one that can't be used is opened anew.
  init(restoring snapshot: Snapshot, _ definition: LogFileDefinition, service: String, log: DaemonLog) {
    (self.definition, self.service, self.log) = (definition, service, log)
    (lost.bytes, lost.isInLine) = (snapshot.lostBytes, snapshot.isInLine)
    guard let file = snapshot.file else { return }
    do throws(SystemError) { open = try OpenLogFile(restoring: file, path: definition.path) } catch {
      tellOfFailure(error)
    }
  }

  struct Snapshot: Hashable, Sendable, Codable {
    var file: OpenLogFile.Snapshot?
    var lostBytes: Int
    var isInLine: Bool
  }

  var snapshot: Snapshot {
    Snapshot(file: open?.snapshot, lostBytes: lost.bytes, isInLine: lost.isInLine)
  }

  /// Opens the file if it is not open.
  ///
  /// Throws what a person has to mend, such as a missing folder; a full or
  /// failing disk, or too many open files, does not keep a service from starting.
  func prepare() throws(SystemError) {
    do throws(SystemError) {
      if open == nil { open = try OpenLogFile(definition.path) }
    } catch {
      guard [ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, ENOMEM].contains(error.code) else { throw error }
      tellOfFailure(error)
    }
  }

  /// Appends bytes, and rotates where that is due.
  func append(_ bytes: UnsafeRawBufferPointer) {
    lookAfterFile()
    var rest = bytes
    while !rest.isEmpty {
      do throws(SystemError) {
        if open == nil { open = try OpenLogFile(definition.path) }
        guard let open else { return }
        if lost.isInLine { try open.endLine() }
        lost.isInLine = false
        let count = open.fitting(rest, limit: definition.maxSize)
        if count > 0 {
          try open.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
          rest = UnsafeRawBufferPointer(rebasing: rest[count...])
          tellOfRecovery()
        }
        if !rest.isEmpty { rotate(open) }
      } catch {
        return drop(rest, error)
      }
    }
  }

  /// Ends a partial line, so that what comes next begins its own.
  func finishLine() {
    do throws(SystemError) {
      try open?.endLine()
    } catch {
      tellOfFailure(error)
    }
  }

  /// Goes on in the file that is at the path now.
  func reopen() {
    open = nil
    do throws(SystemError) {
      open = try OpenLogFile(definition.path)
    } catch {
      tellOfFailure(error)
    }
  }

  /// The last lines, over a rotation too.
  func lines(_ count: Int) -> [String] { LogTail(definition).lines(count) }

  private func lookAfterFile() {
    guard let open, Clock.now() >= nextLook else { return }
    nextLook = Clock.now() + Self.lookEvery
    if !open.isStillAtItsPath() { self.open = nil }
  }

  private func rotate(_ file: OpenLogFile) {
    do throws(SystemError) {
      open = try LogRotation(definition).rotate(file)
    } catch {
      // The output matters more than the size: the file grows by another maximum before the next attempt.
      file.allowance += definition.maxSize
      let remedy = "the file grows; let the daemon write to the folder, or set keep = 0"
      log.log(
        .warning, service: service, "cannot rotate log file \"\(definition.path)\": \(error); \(remedy)")
    }
  }

  private func drop(_ bytes: UnsafeRawBufferPointer, _ error: SystemError) {
    lost.isInLine = true
    lost.bytes += bytes.count - (open?.takePartOfFailedWrite() ?? 0)
    // The next attempt goes to whatever file is at the path then.
    if error.code != ENOSPC && error.code != EAGAIN { open = nil }
    tellOfFailure(error)
  }

  private func tellOfFailure(_ error: SystemError) {
    guard lost.toldAt == nil else { return }
    lost.toldAt = Clock.now()
    let text = "log file \"\(definition.path)\": \(SystemError.text(error.code))"
    log.log(.error, service: service, "\(text); output of '\(service)' is dropped")
  }

  private func tellOfRecovery() {
    guard let toldAt = lost.toldAt, Clock.now() >= toldAt + LostOutput.pause else { return }
    let text =
      "log file \"\(definition.path)\" is written again; \(lost.bytes) bytes of '\(service)' were dropped"
    log.log(.notice, service: service, text)
    lost = LostOutput()
  }
}
