// Swift source as words and punctuation, without comments and without the text of strings. Code in interpolations
// counts. It knows no grammar, and no regex literals.

/// A word, or one character of punctuation.
struct SwiftToken: Equatable, Sendable {
  var text: String
  /// From 1.
  var line: Int
}

struct SwiftLexer {
  private let bytes: [UInt8]
  private var at = 0
  private var line = 1
  private var tokens: [SwiftToken] = []

  private init(_ text: String) { bytes = Array(text.utf8) }

  static func tokens(of text: String) -> [SwiftToken] {
    var lexer = SwiftLexer(text)
    lexer.scanCode(nested: false)
    return lexer.tokens
  }

  private func byte(_ offset: Int = 0) -> UInt8 { at + offset < bytes.count ? bytes[at + offset] : 0 }

  /// Moves on by one byte and counts the lines.
  private mutating func step() {
    if byte() == UInt8(ascii: "\n") { line += 1 }
    at += 1
  }

  /// nested: within an interpolation, which ends at the parenthesis that closes it.
  private mutating func scanCode(nested: Bool) {
    var depth = 0
    while at < bytes.count {
      if skipComment() || scanString() || scanWord() { continue }
      if byte() == UInt8(ascii: "(") { depth += 1 }
      if byte() == UInt8(ascii: ")") {
        depth -= 1
        if nested, depth < 0 { return step() }
      }
      if byte() > UInt8(ascii: " ") {
        tokens.append(SwiftToken(text: String(UnicodeScalar(byte())), line: line))
      }
      step()
    }
  }

  private mutating func skipComment() -> Bool {
    guard byte() == UInt8(ascii: "/") else { return false }
    if byte(1) == UInt8(ascii: "/") {
      while at < bytes.count, byte() != UInt8(ascii: "\n") { step() }
      return true
    }
    guard byte(1) == UInt8(ascii: "*") else { return false }
    var depth = 0
    repeat {
      if byte() == UInt8(ascii: "/"), byte(1) == UInt8(ascii: "*") {
        depth += 1
        step()
      } else if byte() == UInt8(ascii: "*"), byte(1) == UInt8(ascii: "/") {
        depth -= 1
        step()
      }
      step()
    } while depth > 0 && at < bytes.count
    return true
  }

  private mutating func scanWord() -> Bool {
    func isPart(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...: true
      default: false
      }
    }
    let start = at
    while isPart(byte()) { at += 1 }
    if at == start { return false }
    tokens.append(SwiftToken(text: String(decoding: bytes[start..<at], as: UTF8.self), line: line))
    return true
  }

  /// One string literal: plain, raw (#"…"#), or of several lines.
  private mutating func scanString() -> Bool {
    var hashes = 0
    while byte(hashes) == UInt8(ascii: "#") { hashes += 1 }
    guard byte(hashes) == UInt8(ascii: "\"") else { return false }
    at += hashes
    let isLong = byte(1) == UInt8(ascii: "\"") && byte(2) == UInt8(ascii: "\"")
    let closing = [UInt8](repeating: UInt8(ascii: "\""), count: isLong ? 3 : 1) + marks(hashes)
    at += isLong ? 3 : 1
    let escape = [UInt8(ascii: "\\")] + marks(hashes)
    while at < bytes.count, !follows(closing) {
      if !isLong, byte() == UInt8(ascii: "\n") { return true }
      if follows(escape) {
        at += escape.count
        if byte() == UInt8(ascii: "(") {
          at += 1
          scanCode(nested: true)
          continue
        }
      }
      step()
    }
    at += closing.count
    return true
  }

  private func marks(_ count: Int) -> [UInt8] { [UInt8](repeating: UInt8(ascii: "#"), count: count) }

  private func follows(_ text: [UInt8]) -> Bool { bytes[at...].starts(with: text) }
}
