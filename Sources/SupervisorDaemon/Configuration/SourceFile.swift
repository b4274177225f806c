// A file of the configuration as text, and places in it. Reading and judging the file is SourceReader's.

/// A file that was read: what diagnostics quote from, and what relative paths are relative to.
final class SourceFile: Sendable {
  /// As the user or an `include` named it; control characters are escaped.
  let path: String
  /// Absolute: where the file lies.
  let folder: String
  /// The place among all files of the configuration, in reading order.
  let order: Int
  let text: String
  /// Byte offsets of the first byte of each line.
  private let lineStarts: [Int]

  init(path: String, folder: String, order: Int, text: String) {
    self.path = path
    self.folder = folder
    self.order = order
    self.text = text
    var starts = [0]
    for (offset, byte) in text.utf8.enumerated() where byte == UInt8(ascii: "\n") {
      starts.append(offset + 1)
    }
    self.lineStarts = starts
  }

  /// The text of a line (from 1), without its end and without a byte order mark.
  func line(_ number: Int) -> String {
    guard lineStarts.indices.contains(number - 1) else { return "" }
    let bytes = text.utf8
    let start = bytes.index(bytes.startIndex, offsetBy: lineStarts[number - 1])
    let rest = bytes[start...]
    var line = Substring(rest[..<(rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex)]).unicodeScalars
    if line.last == "\r" { line.removeLast() }
    if number == 1, line.first == "\u{FEFF}" { line.removeFirst() }
    return String(line)
  }

  /// The path as seen from this file's folder.
  func resolve(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    return (folder.hasSuffix("/") ? folder : folder + "/") + path
  }
}

/// A stretch of a file.
struct SourceSpan: Sendable {
  let file: SourceFile
  /// Both from 1, a column counts code points.
  let line: Int
  let column: Int
  /// In code points; what reaches into another line ends with the first.
  let length: Int

  /// "conf.d/app.toml:3:9".
  var position: String { "\(file.path):\(line):\(column)" }

  /// Where `length` code points behind `offset` of a string value are.
  ///
  /// The whole string if it is written with escapes.
  func part(of value: String, offset: Int, length: Int) -> SourceSpan {
    // An escape or a second pair of quotes would make the written form longer than the value and two quotes.
    guard self.length == value.unicodeScalars.count + 2 else { return self }
    return SourceSpan(file: file, line: line, column: column + 1 + offset, length: max(1, length))
  }
}

/// A value and the place where it was written.
struct Located<Value> {
  let value: Value
  let span: SourceSpan
}

extension Located: Sendable where Value: Sendable {}
