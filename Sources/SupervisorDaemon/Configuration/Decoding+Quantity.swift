// Times, sizes and permission bits as the configuration spells them.

import Supervisor

extension Decoding where Value == Duration {
  /// "250ms", "2s", "1m30s", "1h", "1d": 0 and more, up to ten years.
  static let duration = Decoding { node, diagnostics in
    switch node.value {
    case .string(let text):
      if let milliseconds = milliseconds(text) { return .milliseconds(milliseconds) }
      let message = "\(quoted(text)) is no time; write it as \"250ms\", \"2s\", \"1m30s\", \"1h\" or \"1d\""
      diagnostics.error(message, at: node.span)
      return nil
    case .integer(let number, _):
      return diagnostics.mismatch("a time", node, remedy: "; write \"\(number)s\" for seconds")
    default:
      return diagnostics.mismatch("a time such as \"30s\"", node)
    }
  }

  /// A time that may not be 0.
  static let positiveDuration = duration.requiring("the time must be longer than 0") { $0 > .zero }

  private static let units: [(name: String, milliseconds: Int)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
  ]
  private static let longest = 3650 * 86_400_000

  /// Numbers with units, the greater unit first, each at most once.
  static func milliseconds(_ text: String) -> Int? {
    var total = 0
    var rest = text[...]
    var allowed = units[...]
    repeat {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      let unit = rest.dropFirst(digits.count).prefix { $0.isASCII && $0.isLetter }
      guard let number = Int(digits), let index = allowed.firstIndex(where: { $0.name == unit }) else {
        return nil
      }
      let (product, overflow) = number.multipliedReportingOverflow(by: units[index].milliseconds)
      if overflow || product > longest { return nil }
      total += product
      allowed = allowed[(index + 1)...]
      rest = rest.dropFirst(digits.count + unit.count)
    } while !rest.isEmpty
    return total <= longest ? total : nil
  }
}

extension Decoding where Value == Int {
  /// Bytes: "64KiB", "50MiB", "1GiB", "1000", or an integer.
  static func size(_ range: ClosedRange<Int>) -> Decoding {
    Decoding { node, diagnostics in
      let size: Int?
      switch node.value {
      case .integer(let number, _): size = Int(number)
      case .string(let text):
        size = bytes(text)
        if size == nil {
          let message = "\(quoted(text)) is no size; write it as \"64KiB\", \"50MiB\", \"1GiB\" or in bytes"
          diagnostics.error(message, at: node.span)
        }
      default: return diagnostics.mismatch("a size such as \"64KiB\"", node)
      }
      guard let size else { return nil }
      if range.contains(size) { return size }
      diagnostics.error("\(size) bytes are outside \(range.lowerBound)…\(range.upperBound)", at: node.span)
      return nil
    }
  }

  private static let shifts = ["": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40]

  private static func bytes(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits), let shift = shifts[String(text.dropFirst(digits.count))] else {
      return nil
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : product
  }
}

extension Decoding where Value == UInt32 {
  /// Permission bits: "0660", or the octal integer 0o660.
  ///
  /// An integer that isn't octal is not what it looks like.
  static let permissions = Decoding { node, diagnostics in
    let bits: UInt32?
    switch node.value {
    case .string(let text): bits = text.isEmpty ? nil : UInt32(text, radix: 8)
    case .integer(let number, .octal): bits = UInt32(exactly: number)
    case .integer(let number, .other):
      diagnostics.error("\(number) is not octal; write 0o\(number) or \"0\(number)\"", at: node.span)
      return nil
    default: return diagnostics.mismatch("permission bits such as \"0660\"", node)
    }
    if let bits, bits <= 0o777 { return bits }
    diagnostics.error("expected permission bits from \"0000\" to \"0777\"", at: node.span)
    return nil
  }

  static let mark = Decoding<Int>.integer(0...Int(UInt32.max)).map { UInt32($0) }
}
