// The open file behind a log: how long it is and where its last line begins. Decides nothing about rotation.

import Glibc
import Supervisor

/// A log file that is open for appending.
final class OpenLogFile {
  let path: String
  /// Only regular files are rotated: /dev/stderr or a FIFO has no size.
  let isRegular: Bool
  /// Bytes beyond the maximum that it may take, because it could not be rotated.
  var allowance = 0

  private let descriptor: FileDescriptor
  /// Bytes.
  ///
  /// Only an estimate when others write to the file too; `isStillAtItsPath` corrects it.
  private(set) var size: Int
  /// Where the last line begins; equal to `size` after a newline.
  private(set) var lineStart: Int
  /// Written of an append that failed.
  private var partOfFailedWrite = 0

  /// Opens or creates it, with mode 0640; a partial line that somebody left is ended.
  init(_ path: String) throws(SystemError) {
    self.path = path
    // O_NONBLOCK: opening a FIFO that nobody reads would wait, open(2). It means nothing to a regular file.
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY
    descriptor = try FileDescriptor.open(path, flags, mode: 0o640)
    let status = try descriptor.status()
    isRegular = status.st_mode & S_IFMT == S_IFREG
    size = isRegular ? Int(status.st_size) : 0
    lineStart = size
    if size > 0, let last = bytes(size - 1..<size)?.last, last != newline {
      lineStart = size - 1
      try endLine()
    }
  }

  /// Goes on with the file that another process had open, in the middle of a line perhaps.
  init(restoring snapshot: Snapshot, path: String) throws(SystemError) {
    self.path = path
    descriptor = FileDescriptor(owning: snapshot.descriptor)
    let status = try descriptor.status()
    isRegular = status.st_mode & S_IFMT == S_IFREG
    size = isRegular ? Int(status.st_size) : snapshot.size
    lineStart = snapshot.lineStart
    allowance = snapshot.allowance
  }

  struct Snapshot: Hashable, Sendable, Codable {
    var descriptor: CInt
    var size: Int
    var lineStart: Int
    var allowance: Int
  }

  var snapshot: Snapshot {
    Snapshot(descriptor: descriptor.number, size: size, lineStart: lineStart, allowance: allowance)
  }

  /// How many of the bytes go into this file: all, or those up to the line's end before the limit.
  func fitting(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Int {
    guard isRegular else { return bytes.count }
    let room = limit + allowance - size
    if bytes.count <= room { return bytes.count }
    if let end = lastNewline(in: bytes, before: max(0, room)) { return end + 1 }
    // No line ends here. A line that fills a file of its own is split; any other moves to the next file
    // whole.
    return lineStart == 0 ? max(0, room) : 0
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
    var done = 0
    defer { noteLength(UnsafeRawBufferPointer(rebasing: bytes[..<done])) }
    partOfFailedWrite = 0
    while done < bytes.count {
      do throws(SystemError) {
        done += try descriptor.write(UnsafeRawBufferPointer(rebasing: bytes[done...]))
      } catch {
        partOfFailedWrite = done
        throw error
      }
    }
  }

  /// How much of the append that failed is in the file nevertheless; 0 when asked again.
  func takePartOfFailedWrite() -> Int {
    defer { partOfFailedWrite = 0 }
    return partOfFailedWrite
  }

  /// Writes a newline unless the last line is complete.
  func endLine() throws(SystemError) {
    if lineStart < size {
      try withUnsafeBytes(of: newline) { bytes throws(SystemError) in try append(bytes) }
    }
  }

  /// Whether the path still means this file; what others cut off or added is counted.
  func isStillAtItsPath() -> Bool {
    var there = stat()
    do throws(SystemError) {
      let here = try descriptor.status()
      guard stat(path, &there) == 0, there.st_ino == here.st_ino, there.st_dev == here.st_dev else {
        return false
      }
      if isRegular, Int(here.st_size) != size {
        size = Int(here.st_size)
        lineStart = size
      }
      return true
    } catch {
      return false
    }
  }

  /// The partial last line; nil when there is none, it fills the file, or it is longer than 1 MiB.
  func partialLine() -> [UInt8]? {
    guard lineStart > 0, lineStart < size, size - lineStart <= 1 << 20 else { return nil }
    return bytes(lineStart..<size)
  }

  /// Takes the partial last line out of the file.
  func cutPartialLine() {
    if ftruncate(descriptor.number, off_t(lineStart)) == 0 { size = lineStart }
  }

  /// Empties the file; O_APPEND goes on at its beginning.
  func truncate() throws(SystemError) {
    let number = descriptor.number
    _ = try retrying("truncate", path) { ftruncate(number, 0) }
    (size, lineStart, allowance) = (0, 0, 0)
  }

  /// Reads a part of the file, which is open for writing only; nil when it is not readable.
  private func bytes(_ range: Range<Int>) -> [UInt8]? {
    do throws(SystemError) {
      let reading = try FileDescriptor.open("/proc/self/fd/\(descriptor.number)", O_RDONLY)
      return try reading.bytes(at: range)
    } catch {
      return nil
    }
  }

  private func noteLength(_ written: UnsafeRawBufferPointer) {
    let end = lastNewline(in: written, before: written.count)
    if let end { lineStart = size + end + 1 }
    size += written.count
    if !isRegular { (size, lineStart) = (written.last == newline || written.isEmpty ? 0 : 1, 0) }
  }
}

extension FileDescriptor {
  /// Reads a part of a regular file, pread(2); what is shorter than asked for ends with the file.
  borrowing func bytes(at range: Range<Int>) throws(SystemError) -> [UInt8] {
    let number = self.number
    var bytes = [UInt8](repeating: 0, count: range.count)
    var done = 0
    while done < bytes.count {
      let got = try bytes.withUnsafeMutableBufferPointer { room throws(SystemError) in
        let rest = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(room)[done...])
        return try retrying("read") {
          pread(number, rest.baseAddress, rest.count, off_t(range.lowerBound + done))
        }
      }
      if got == 0 { break }
      done += got
    }
    return Array(bytes[..<done])
  }
}
