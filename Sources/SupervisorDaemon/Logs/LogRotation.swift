// Rotation of a log file: PATH becomes PATH.1, PATH.1 becomes PATH.2, …; the oldest goes.

import Glibc
import Supervisor

struct LogRotation {
  private let path: String
  private let keep: Int

  init(_ definition: LogFileDefinition) { (path, keep) = (definition.path, definition.keep) }

  /// Makes room, and returns the file to go on with.
  ///
  /// A partial last line moves along, so that every file ends
  /// with a whole line. When it throws, the file is where it was.
  func rotate(_ file: OpenLogFile) throws(SystemError) -> OpenLogFile {
    // Somebody else rotated it, as logrotate(8) does: go on in what is there now.
    guard file.isStillAtItsPath() else { return try OpenLogFile(path) }
    if keep == 0 {
      let partial = file.partialLine()
      try file.truncate()
      _ = append(partial, to: file)
      return file
    }
    for number in stride(from: keep, to: 1, by: -1) {
      try rename("\(path).\(number - 1)", "\(path).\(number)")
    }
    try rename(path, "\(path).1")
    let next: OpenLogFile
    do throws(SystemError) {
      next = try OpenLogFile(path)
    } catch {
      try rename("\(path).1", path)
      throw error
    }
    // When the disk is full, the line stays where it began.
    if append(file.partialLine(), to: next) == .done { file.cutPartialLine() }
    return next
  }

  private enum Outcome { case done, failed }

  private func append(_ partial: [UInt8]?, to file: OpenLogFile) -> Outcome {
    guard let partial else { return .failed }
    do throws(SystemError) {
      try partial.withUnsafeBufferPointer { bytes throws(SystemError) in
        try file.append(UnsafeRawBufferPointer(bytes))
      }
      return .done
    } catch {
      // The next output meets the same error, and tells of it.
      return .failed
    }
  }

  /// rename(2); a file that is not there yet is no error.
  private func rename(_ from: String, _ to: String) throws(SystemError) {
    do throws(SystemError) {
      _ = try retrying("rename", from) { Glibc.rename(from, to) }
    } catch {
      if error.code != ENOENT { throw error }
    }
  }
}
