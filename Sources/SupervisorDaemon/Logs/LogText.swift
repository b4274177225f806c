// What a service printed, as text that is safe to show.

import Glibc
import Supervisor

enum LogText {
  /// One line as a string: invalid UTF-8 repaired, colours and other escape sequences removed, tabs kept,
  /// what else is a control character made visible.
  static func text(of line: some BidirectionalCollection<UInt8>) -> String {
    let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line[...]
    guard line.contains(where: { $0 < 32 || $0 >= 127 }) else { return String(decoding: line, as: UTF8.self) }
    let text = String(decoding: withoutEscapeSequences(Array(line)), as: UTF8.self)
    return text.split(separator: "\t", omittingEmptySubsequences: false)
      .map { ProcessTable.printable(String($0)) }.joined(separator: "\t")
  }

  /// The last lines of some text, at most `count`; a last line without newline counts.
  static func lastLines(_ count: Int, of bytes: some BidirectionalCollection<UInt8>) -> [String] {
    guard count > 0, !bytes.isEmpty else { return [] }
    let text = bytes.last == newline ? bytes.dropLast() : bytes[...]
    return text.split(separator: newline, omittingEmptySubsequences: false).suffix(count).map {
      Self.text(of: $0)
    }
  }

  /// Appends a line for a terminal: colours pass, everything else that moves a cursor is made visible.
  static func appendForTerminal(_ line: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    let line = line.last == UInt8(ascii: "\r") ? UnsafeRawBufferPointer(rebasing: line.dropLast()) : line
    guard line.contains(where: { $0 < 32 || $0 == 127 || $0 == 0xC2 }) else {
      return output.append(contentsOf: line)
    }
    let bytes = Array(line)
    var (index, isColoured) = (0, false)
    while index < bytes.count {
      let byte = bytes[index]
      let escape = escapeSequence(in: bytes, at: index)
      // C2 80 … C2 9F are the C1 controls, ECMA-48: the one at 9B begins a sequence like ESC [ does.
      let isC1 = byte == 0xC2 && index + 1 < bytes.count && (0x80...0x9F).contains(bytes[index + 1])
      if let escape, escape.isColour {
        output.append(contentsOf: bytes[escape.range])
        (index, isColoured) = (escape.range.upperBound, true)
      } else if (byte < 32 && byte != UInt8(ascii: "\t")) || byte == 127 || isC1 {
        let length = isC1 ? 2 : 1
        let control = String(decoding: bytes[index..<index + length], as: UTF8.self)
        output.append(contentsOf: Array(ProcessTable.printable(control).utf8))
        index += length
      } else {
        output.append(byte)
        index += 1
      }
    }
    if isColoured { output.append(contentsOf: Array("\u{1B}[0m".utf8)) }
  }

  private static func withoutEscapeSequences(_ bytes: [UInt8]) -> [UInt8] {
    var kept: [UInt8] = []
    kept.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      if let escape = escapeSequence(in: bytes, at: index) {
        index = escape.range.upperBound
      } else {
        kept.append(bytes[index])
        index += 1
      }
    }
    return kept
  }

  /// A complete control sequence (CSI) or system command (OSC) of ECMA-48 that begins at an index.
  private static func escapeSequence(
    in bytes: [UInt8], at index: Int
  ) -> (range: Range<Int>, isColour: Bool)? {
    guard bytes[index] == 0x1B, index + 1 < bytes.count else { return nil }
    var end = index + 2
    switch bytes[index + 1] {
    case UInt8(ascii: "["):
      while end < bytes.count, (0x20...0x3F).contains(bytes[end]) { end += 1 }
      guard end < bytes.count, (0x40...0x7E).contains(bytes[end]) else { return nil }
      return (index..<end + 1, bytes[end] == UInt8(ascii: "m"))
    case UInt8(ascii: "]"):
      while end < bytes.count, bytes[end] != 0x07, bytes[end] != 0x1B { end += 1 }
      guard end < bytes.count else { return nil }
      if bytes[end] == 0x07 { return (index..<end + 1, false) }
      return end + 1 < bytes.count && bytes[end + 1] == UInt8(ascii: "\\") ? (index..<end + 2, false) : nil
    default: return nil
    }
  }
}
