// A look at a JSON object without decoding it: its members, and that it is not nested too deeply.
// What is inside a member is checked by whoever decodes it.

/// The members of a JSON object, each still as bytes.
package struct JSONObject {
  /// Deeper nesting is refused: nothing of ours needs more than 8, and a decoder recurses.
  package static let deepest = 32

  private let bytes: [UInt8]
  private var members: [String: Range<Int>] = [:]

  /// nil when the bytes are no object, when brackets or quotes don't match, or when it is too deep.
  package init?(_ bytes: [UInt8]) {
    self.bytes = bytes
    guard scan() else { return nil }
  }

  /// The bytes of a member; nil when there is none.
  package subscript(name: String) -> ArraySlice<UInt8>? { members[name].map { bytes[$0] } }

  /// A member that is a string; nil when there is none or it is something else.
  package func string(_ name: String) -> String? {
    guard let value = self[name], value.count >= 2, value.first == Byte.quote else { return nil }
    let inside = value.dropFirst().dropLast()
    if !inside.contains(Byte.backslash) { return String(validating: inside, as: UTF8.self) }
    do throws(WireError) {
      return try Wire.decode(String.self, from: value)
    } catch { return nil }
  }

  /// A member that is `true`; everything else, or nothing, is false.
  package func flag(_ name: String) -> Bool { self[name]?.elementsEqual("true".utf8) ?? false }

  private mutating func scan() -> Bool {
    var at = skipSpace(0)
    guard at < bytes.count, bytes[at] == Byte.openBrace else { return false }
    at = skipSpace(at + 1)
    if at < bytes.count, bytes[at] == Byte.closeBrace { return skipSpace(at + 1) == bytes.count }
    while true {
      guard let colon = member(at), let next = value(after: at, colon: colon) else { return false }
      at = skipSpace(next)
      guard at < bytes.count else { return false }
      if bytes[at] == Byte.closeBrace { return skipSpace(at + 1) == bytes.count }
      guard bytes[at] == Byte.comma else { return false }
      at = skipSpace(at + 1)
    }
  }

  /// The place of the colon after the name that begins at `start`.
  private func member(_ start: Int) -> Int? {
    guard start < bytes.count, bytes[start] == Byte.quote, let end = string(from: start) else { return nil }
    let colon = skipSpace(end)
    return colon < bytes.count && bytes[colon] == Byte.colon ? colon : nil
  }

  private mutating func value(after start: Int, colon: Int) -> Int? {
    guard let nameEnd = string(from: start),
      let name = String(validating: bytes[(start + 1)..<(nameEnd - 1)], as: UTF8.self)
    else { return nil }
    let begin = skipSpace(colon + 1)
    guard let end = end(ofValueAt: begin) else { return nil }
    members[name] = begin..<end
    return end
  }

  private func end(ofValueAt start: Int) -> Int? {
    guard start < bytes.count else { return nil }
    switch bytes[start] {
    case Byte.quote: return string(from: start)
    case Byte.openBrace, Byte.openBracket: return nested(from: start)
    default:
      var at = start
      while at < bytes.count, !Byte.endsLiteral(bytes[at]) { at += 1 }
      return at > start ? at : nil
    }
  }

  /// Over an object or array, to the place after its end.
  ///
  /// The object around it is level 1.
  private func nested(from start: Int) -> Int? {
    var open: [UInt8] = []
    var at = start
    while at < bytes.count {
      switch bytes[at] {
      case Byte.quote:
        guard let end = string(from: at) else { return nil }
        at = end
        continue
      case Byte.openBrace: open.append(Byte.closeBrace)
      case Byte.openBracket: open.append(Byte.closeBracket)
      case Byte.closeBrace, Byte.closeBracket:
        guard open.popLast() == bytes[at] else { return nil }
        if open.isEmpty { return at + 1 }
      default: break
      }
      if open.count >= Self.deepest { return nil }
      at += 1
    }
    return nil
  }

  /// Over a string, to the place after its closing quote.
  private func string(from start: Int) -> Int? {
    var at = start + 1
    while at < bytes.count {
      switch bytes[at] {
      case Byte.quote: return at + 1
      case Byte.backslash: at += 2
      default: at += 1
      }
    }
    return nil
  }

  private func skipSpace(_ start: Int) -> Int {
    var at = start
    while at < bytes.count, Byte.isSpace(bytes[at]) { at += 1 }
    return at
  }

  private enum Byte {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")

    static func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 10 || byte == 13 }

    static func endsLiteral(_ byte: UInt8) -> Bool {
      isSpace(byte) || byte == comma || byte == closeBrace || byte == closeBracket || byte == quote
    }
  }
}
