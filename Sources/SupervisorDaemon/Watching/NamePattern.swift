// A pattern for one name: *, ?, [a-z] and \ as fnmatch(3) with FNM_PATHNAME has them. Pure; braces are PathPattern's.

/// What one component of a path may look like.
///
/// Names are bytes, as the kernel has them; ? and [ ] stand for one character of UTF-8, or for one byte that is none.
struct NamePattern: Hashable, Sendable {
  private enum Part: Hashable {
    case byte(UInt8)
    case anyCharacter
    case anything
    case oneOf([ClosedRange<UInt32>], isNegated: Bool)
  }

  private let parts: [Part]
  /// The bytes, when there is nothing but bytes: most names in .gitignore files are that.
  private let literal: [UInt8]?

  /// nil: it matches nothing, for a bracket or a backslash at the end has no partner.
  init?(_ text: some Collection<UInt8>) {
    var parts: [Part] = []
    var rest = Array(text)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "*"): if parts.last != .anything { parts.append(.anything) }
      case UInt8(ascii: "?"): parts.append(.anyCharacter)
      case UInt8(ascii: "["):
        guard let set = Self.readSet(&rest) else { return nil }
        parts.append(set)
      case UInt8(ascii: "\\"):
        guard let quoted = rest.popFirst() else { return nil }
        parts.append(.byte(quoted))
      default: parts.append(.byte(byte))
      }
    }
    self.parts = parts
    let bytes = parts.compactMap { if case .byte(let byte) = $0 { byte } else { nil } }
    literal = bytes.count == parts.count ? bytes : nil
  }

  func matches(_ name: [UInt8]) -> Bool {
    if let literal { return literal == name }
    var part = 0
    var place = 0
    // Where to go on when the rest does not match: the last * takes one more.
    var retry: (part: Int, place: Int)?
    while true {
      if part < parts.count, parts[part] == .anything {
        part += 1
        retry = (part, place)
        continue
      }
      if part < parts.count, place < name.count, let next = step(parts[part], name, place) {
        part += 1
        place = next
        continue
      }
      if part == parts.count, place == name.count { return true }
      guard let (lastPart, lastPlace) = retry, lastPlace < name.count else { return false }
      retry = (lastPart, lastPlace + 1)
      part = lastPart
      place = lastPlace + 1
    }
  }

  /// The place behind what one part matches; nil when it does not.
  private func step(_ part: Part, _ name: [UInt8], _ place: Int) -> Int? {
    switch part {
    case .byte(let byte): return name[place] == byte ? place + 1 : nil
    case .anything: return nil
    case .anyCharacter: return place + Self.character(of: name, at: place).length
    case .oneOf(let ranges, let isNegated):
      let (value, length) = Self.character(of: name, at: place)
      return ranges.contains { $0.contains(value) } != isNegated ? place + length : nil
    }
  }

  /// One character of UTF-8; a byte that begins none counts as one.
  private static func character(of bytes: [UInt8], at place: Int) -> (value: UInt32, length: Int) {
    let first = bytes[place]
    let length = first < 0x80 ? 1 : first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    guard length > 1, place + length <= bytes.count else { return (UInt32(first), 1) }
    var value = UInt32(first) & (0x7f >> UInt32(length))
    for byte in bytes[(place + 1)..<(place + length)] {
      guard byte & 0xc0 == 0x80 else { return (UInt32(first), 1) }
      value = value << 6 | UInt32(byte & 0x3f)
    }
    return (value, length)
  }

  /// What stands between [ and ], both already and not yet taken; nil when there is no ].
  private static func readSet(_ rest: inout ArraySlice<UInt8>) -> Part? {
    let isNegated = rest.first == UInt8(ascii: "!") || rest.first == UInt8(ascii: "^")
    if isNegated { rest.removeFirst() }
    var ranges: [ClosedRange<UInt32>] = []
    var isFirst = true
    while let byte = rest.first {
      if byte == UInt8(ascii: "]"), !isFirst {
        rest.removeFirst()
        return .oneOf(ranges, isNegated: isNegated)
      }
      isFirst = false
      if let named = readClass(&rest) {
        ranges += named
        continue
      }
      guard let low = readCharacter(&rest) else { return nil }
      guard rest.first == UInt8(ascii: "-"), let after = rest.dropFirst().first, after != UInt8(ascii: "]")
      else {
        ranges.append(low...low)
        continue
      }
      rest.removeFirst()
      guard let high = readCharacter(&rest) else { return nil }
      if low <= high { ranges.append(low...high) }
    }
    return nil
  }

  private static func readCharacter(_ rest: inout ArraySlice<UInt8>) -> UInt32? {
    if rest.first == UInt8(ascii: "\\") { rest.removeFirst() }
    guard !rest.isEmpty else { return nil }
    let (value, length) = character(of: Array(rest.prefix(4)), at: 0)
    rest.removeFirst(length)
    return value
  }

  /// [:alpha:] and its like, of ASCII.
  private static func readClass(_ rest: inout ArraySlice<UInt8>) -> [ClosedRange<UInt32>]? {
    for (name, text) in classes {
      let word = Array("[:\(name):]".utf8)
      guard rest.starts(with: word) else { continue }
      rest.removeFirst(word.count)
      return text
    }
    return nil
  }

  private static let classes: [(String, [ClosedRange<UInt32>])] = [
    ("alnum", [48...57, 65...90, 97...122]), ("alpha", [65...90, 97...122]), ("blank", [9...9, 32...32]),
    ("cntrl", [0...31, 127...127]), ("digit", [48...57]), ("graph", [33...126]), ("lower", [97...122]),
    ("print", [32...126]), ("punct", [33...47, 58...64, 91...96, 123...126]), ("space", [9...13, 32...32]),
    ("upper", [65...90]), ("xdigit", [48...57, 65...70, 97...102]),
  ]
}
