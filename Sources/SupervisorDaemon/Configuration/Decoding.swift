// How one value of the configuration becomes a value of the model, or a finding.

import Supervisor

/// Reads a value; nil after reporting why it can't be.
struct Decoding<Value>: Sendable {
  let decode: @Sendable (TOMLNode, Diagnostics) -> Value?

  init(_ decode: @escaping @Sendable (TOMLNode, Diagnostics) -> Value?) { self.decode = decode }

  /// Goes on with what was read; nil after reporting.
  func then<Other>(
    _ next: @escaping @Sendable (Value, TOMLNode, Diagnostics) -> Other?
  ) -> Decoding<Other> {
    Decoding<Other> { node, diagnostics in
      decode(node, diagnostics).flatMap { next($0, node, diagnostics) }
    }
  }

  func map<Other>(_ transform: @escaping @Sendable (Value) -> Other) -> Decoding<Other> {
    then { value, _, _ in transform(value) }
  }

  /// Reports `problem` when the condition doesn't hold.
  func requiring(
    _ problem: String, _ condition: @escaping @Sendable (Value) -> Bool
  ) -> Decoding<Value> {
    then { value, node, diagnostics in
      if condition(value) { return value }
      diagnostics.error(problem, at: node.span)
      return nil
    }
  }

  /// The value with its place.
  var located: Decoding<Located<Value>> {
    then { value, node, _ in Located(value: value, span: node.span) }
  }

  /// An array of such values.
  ///
  /// Every element is looked at, so that each error is reported.
  var array: Decoding<[Value]> {
    Decoding<[Value]> { node, diagnostics in
      guard case .array(let elements) = node.value else {
        return diagnostics.mismatch("an array", node)
      }
      let values = elements.compactMap { decode($0, diagnostics) }
      return values.count == elements.count ? values : nil
    }
  }

  /// An array of such values, or one of them alone.
  var oneOrMore: Decoding<[Value]> {
    Decoding<[Value]> { node, diagnostics in
      if case .array(let elements) = node.value {
        if elements.isEmpty {
          diagnostics.error("the list is empty", at: node.span)
          return nil
        }
        return array.decode(node, diagnostics)
      }
      return decode(node, diagnostics).map { [$0] }
    }
  }
}

extension Diagnostics {
  /// Reports a value of a wrong type; always nil, to be returned.
  func mismatch<Value>(_ expected: String, _ node: TOMLNode, remedy: String = "") -> Value? {
    error("expected \(expected), found \(node.value.kind)\(remedy)", at: node.span)
    return nil
  }
}

extension Decoding where Value == String {
  static let string = Decoding { node, diagnostics in
    if case .string(let text) = node.value { return text }
    return diagnostics.mismatch("a string", node, remedy: quotingRemedy(node.value))
  }

  static let nonEmptyString = string.requiring("the string is empty") { !$0.isEmpty }

  /// For who writes PORT = 8000 where a string is due.
  private static func quotingRemedy(_ value: TOMLValue) -> String {
    switch value {
    case .integer(let number, .other): "; write \"\(number)\""
    case .boolean(let truth): "; write \"\(truth)\""
    default: ""
    }
  }
}

extension Decoding where Value == Bool {
  static let boolean = Decoding { node, diagnostics in
    if case .boolean(let truth) = node.value { return truth }
    return diagnostics.mismatch("true or false", node)
  }
}

extension Decoding where Value == Int {
  static func integer(_ range: ClosedRange<Int>) -> Decoding {
    Decoding { node, diagnostics in
      guard case .integer(let number, _) = node.value else { return diagnostics.mismatch("an integer", node) }
      if range.contains(Int(number)) { return Int(number) }
      diagnostics.error("\(number) is outside \(range.lowerBound)…\(range.upperBound)", at: node.span)
      return nil
    }
  }
}

extension Decoding where Value == Double {
  /// A float, or an integer without its ".0".
  static func number(_ expected: String, _ condition: @escaping @Sendable (Double) -> Bool) -> Decoding {
    Decoding { node, diagnostics in
      let number: Double
      switch node.value {
      case .float(let real): number = real
      case .integer(let integer, _): number = Double(integer)
      default: return diagnostics.mismatch("a number", node)
      }
      // NaN fulfils no comparison, and infinity is no factor that a delay could be multiplied by.
      if number.isFinite, condition(number) { return number }
      diagnostics.error("expected a number \(expected), found \(number)", at: node.span)
      return nil
    }
  }
}
