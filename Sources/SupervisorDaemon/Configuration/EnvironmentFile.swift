// The lines of an environment_file: KEY=VALUE, quoted as systemd's EnvironmentFile= allows (systemd.exec(5)).

import Supervisor

/// Reads assignments off a text, each error with its own line and column.
struct EnvironmentFile {
  private let file: SourceFile
  private let diagnostics: Diagnostics
  private let scalars: [Unicode.Scalar]
  private var at = 0
  private var line = 1
  private var lineStart = 0

  /// In the order of the file.
  ///
  /// Lines that are no assignment are reported and left out.
  static func entries(of file: SourceFile, _ diagnostics: Diagnostics) -> [Located<EnvironmentEntry>] {
    var reader = EnvironmentFile(file, diagnostics)
    var entries: [Located<EnvironmentEntry>] = []
    while reader.at < reader.scalars.count {
      if let entry = reader.assignment() { entries.append(entry) }
      reader.skipLine()
    }
    return entries
  }

  /// A letter or underscore, then letters, digits and underscores, as shells have it.
  static func isName(_ text: some StringProtocol) -> Bool {
    for (index, scalar) in text.unicodeScalars.enumerated() {
      switch scalar {
      case "a"..."z", "A"..."Z", "_": continue
      case "0"..."9" where index > 0: continue
      default: return false
      }
    }
    return !text.isEmpty
  }

  private init(_ file: SourceFile, _ diagnostics: Diagnostics) {
    self.file = file
    self.diagnostics = diagnostics
    self.scalars = Array(file.text.unicodeScalars)
    if scalars.first == "\u{FEFF}" { (at, lineStart) = (1, 1) }
  }

  /// nil for a comment, a blank line, or an error, which is reported.
  private mutating func assignment() -> Located<EnvironmentEntry>? {
    skipBlanks()
    guard let first = current, first != "\n", first != "#", first != ";" else { return nil }
    let start = at
    at = scalars[at...].firstIndex { $0 == "=" || $0 == "\n" } ?? scalars.count
    let name = text(start, at).trimmingBlanks
    let span = SourceSpan(
      file: file, line: line, column: start - lineStart + 1, length: max(1, name.unicodeScalars.count))
    if current != "=" {
      diagnostics.error("expected KEY=VALUE", at: span)
      return nil
    }
    if !Self.isName(name) {
      let isExport = name.hasPrefix("export ")
      diagnostics.error(
        isExport
          ? "this is no shell script; leave out 'export'" : "invalid name \(quoted(name)) of a variable",
        at: span)
      return nil
    }
    at += 1
    return value().map { Located(value: EnvironmentEntry(name: name, value: $0), span: span) }
  }

  /// The rest of the line, or of several; nil after reporting a quote that is not closed.
  private mutating func value() -> String? {
    var result: [Unicode.Scalar] = []
    // Blanks at the end are dropped, unless they were quoted.
    var kept = 0
    skipBlanks()
    while let scalar = current, scalar != "\n" {
      switch scalar {
      case "'", "\"":
        guard let part = quotedPart(scalar) else { return nil }
        result += part
        kept = result.count
      case "\\":
        advance()
        if let next = current, next != "\n" {
          result.append(next)
          kept = result.count
        }
        advance()
      default:
        result.append(scalar)
        if !scalar.isBlank { kept = result.count }
        advance()
      }
    }
    return String(result.prefix(kept))
  }

  /// From the opening quote behind the closing one; it may reach over several lines.
  private mutating func quotedPart(_ quote: Unicode.Scalar) -> [Unicode.Scalar]? {
    let opening = SourceSpan(file: file, line: line, column: at - lineStart + 1, length: 1)
    var result: [Unicode.Scalar] = []
    advance()
    while let scalar = current {
      advance()
      if scalar == quote { return result }
      if quote == "\"", scalar == "\\", let next = current, ["\"", "\\", "`", "$", "\n"].contains(next) {
        advance()
        if next != "\n" { result.append(next) }
      } else {
        result.append(scalar)
      }
    }
    diagnostics.error("the quote is not closed", at: opening)
    return nil
  }

  // MARK: Moving

  /// nil at the end of the file.
  private var current: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

  private mutating func advance() {
    guard let scalar = current else { return }
    at += 1
    if scalar == "\n" {
      line += 1
      lineStart = at
    }
  }

  private mutating func skipBlanks() {
    while let scalar = current, scalar.isBlank { advance() }
  }

  private mutating func skipLine() {
    while let scalar = current, scalar != "\n" { advance() }
    advance()
  }

  private func text(_ start: Int, _ end: Int) -> String { String(scalars[start..<end]) }
}

extension Unicode.Scalar {
  /// Also the first half of a line end that was written on Windows.
  fileprivate var isBlank: Bool { self == " " || self == "\t" || self == "\r" }
}

extension String {
  fileprivate init(_ scalars: some Sequence<Unicode.Scalar>) {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    self.init(view)
  }

  fileprivate var trimmingBlanks: String {
    let scalars = Array(unicodeScalars)
    let end = (scalars.lastIndex { !$0.isBlank } ?? -1) + 1
    return String(scalars.prefix(end).drop { $0.isBlank })
  }
}
