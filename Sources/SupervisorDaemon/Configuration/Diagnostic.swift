// One finding about the configuration, and its text as compilers write it.

/// A finding with its place.
package struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
  /// As the user named it.
  package let file: String
  /// Both from 1, a column counts code points; 0 when the finding is about the file as a whole.
  package let line: Int
  package let column: Int
  package let severity: Severity
  package let message: String
  /// The line, or the part of a very long one that is shown; empty without a position.
  package let sourceLine: String
  /// Where in `sourceLine` the marking starts, from 1, and how many code points it covers.
  package let caretColumn: Int
  package let caretLength: Int

  package enum Severity: String, Hashable, Sendable { case error, warning }

  /// "FILE:LINE:COLUMN: error: MESSAGE", the source line and the caret line.
  package var description: String {
    if line == 0 { return "\(file): \(severity.rawValue): \(message)" }
    return "\(file):\(line):\(column): \(severity.rawValue): \(message)\n\(sourceLine)\n\(caretLine)"
  }

  /// Tabs stay tabs, so that the caret stands below its character however wide a tab is shown.
  private var caretLine: String {
    var text = ""
    for scalar in sourceLine.unicodeScalars.prefix(caretColumn - 1) { text += scalar == "\t" ? "\t" : " " }
    return text + "^" + String(repeating: "~", count: caretLength - 1)
  }
}

extension Diagnostic {
  /// About a file as a whole.
  init(_ severity: Severity, _ message: String, file: String) {
    self.init(
      file: file, line: 0, column: 0, severity: severity, message: message, sourceLine: "", caretColumn: 0,
      caretLength: 0)
  }

  init(_ severity: Severity, _ message: String, at span: SourceSpan) {
    let excerpt = Excerpt(of: span)
    self.init(
      file: span.file.path, line: span.line, column: span.column, severity: severity, message: message,
      sourceLine: excerpt.text, caretColumn: excerpt.column, caretLength: excerpt.length)
  }
}

/// The part of a line that is shown: at most `width` code points, the span's beginning among them.
private struct Excerpt {
  let text: String
  let column: Int
  let length: Int

  private static let width = 160
  private static let before = 60

  init(of span: SourceSpan) {
    var line = span.file.line(span.line).unicodeScalars.map { scalar in
      // What a terminal would act upon is not shown; a tab is harmless.
      scalar != "\t" && scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar
    }
    var column = min(span.column, line.count + 1)
    if line.count > Self.width {
      let start = max(0, min(column - 1 - Self.before, line.count - Self.width))
      let end = min(line.count, start + Self.width)
      line = (start > 0 ? ["…"] : []) + line[start..<end] + (end < line.count ? ["…"] : [])
      column -= start > 0 ? start - 1 : 0
    }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: line)
    self.text = String(text)
    self.column = column
    self.length = max(1, min(span.length, line.count - column + 1))
  }
}
