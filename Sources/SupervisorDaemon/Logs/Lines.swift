// Finding lines in bytes. A line ends with a newline; what follows the last one is partial.

import Glibc

let newline = UInt8(ascii: "\n")

/// Where the last newline before an index is; nil when there is none.
func lastNewline(in bytes: UnsafeRawBufferPointer, before end: Int) -> Int? {
  var index = min(end, bytes.count)
  while index > 0 {
    index -= 1
    if bytes[index] == newline { return index }
  }
  return nil
}

/// Where the first newline at or after an index is; nil when there is none.
func firstNewline(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
  guard let base = bytes.baseAddress, start < bytes.count,
    let found = memchr(base + start, Int32(newline), bytes.count - start)
  else { return nil }
  return UnsafeRawPointer(found) - base
}

/// How many newlines there are.
func newlines(in bytes: UnsafeRawBufferPointer) -> Int {
  var (count, start) = (0, 0)
  while let found = firstNewline(in: bytes, from: start) {
    count += 1
    start = found + 1
  }
  return count
}

/// Puts lines together that arrive in pieces.
///
/// Holds one partial line of bounded length.
struct LineAssembly {
  /// Bytes.
  ///
  /// A longer line is passed on in pieces, as by journald (LineMax= of journald.conf(5)).
  static let longestLine = 16 << 10

  /// What has come of a line that has not ended.
  private(set) var partial: [UInt8] = []

  init(partial: [UInt8] = []) { self.partial = partial }

  var hasPartialLine: Bool { !partial.isEmpty }

  /// Calls `onLine` with each complete line, without its newline.
  mutating func add(_ bytes: UnsafeRawBufferPointer, _ onLine: (UnsafeRawBufferPointer) -> Void) {
    var start = 0
    while start < bytes.count {
      let room = Self.longestLine - partial.count
      let end = firstNewline(in: bytes, from: start)
      let stop = min(end ?? bytes.count, start + room)
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<stop])
      let isComplete = stop == end || piece.count == room
      if partial.isEmpty, isComplete {
        onLine(piece)
      } else {
        partial.append(contentsOf: piece)
        if isComplete { finish(onLine) }
      }
      start = stop == end ? stop + 1 : stop
    }
  }

  /// Passes on the partial line, if there is one, as if it had ended.
  mutating func finish(_ onLine: (UnsafeRawBufferPointer) -> Void) {
    guard hasPartialLine else { return }
    partial.withUnsafeBytes(onLine)
    partial.removeAll(keepingCapacity: partial.capacity <= 1024)
  }
}
