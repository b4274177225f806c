// One word out of a fixed set, among them words that are reserved for what is yet to come.

import Supervisor

extension Decoding {
  /// A string that must be one of `known`; one of `later` is said not to be supported yet.
  static func choice(_ known: [(String, Value)], later: [String] = []) -> Decoding where Value: Sendable {
    Decoding { node, diagnostics in
      guard case .string(let text) = node.value else { return diagnostics.mismatch("a string", node) }
      if let choice = known.first(where: { $0.0 == text }) { return choice.1 }
      let names = known.map(\.0)
      if later.contains(text) {
        diagnostics.error("\"\(text)\" is not supported yet; use \(Self.listed(names))", at: node.span)
      } else {
        let near = Spelling.suggestion(for: text, among: names + later)
        let remedy = near.isEmpty ? "; use \(Self.listed(names))" : near
        diagnostics.error("unknown value \(quoted(text))\(remedy)", at: node.span)
      }
      return nil
    }
  }

  /// One of an enum's raw values.
  static func choice(
    of type: Value.Type, later: [String] = []
  ) -> Decoding where Value: Sendable & CaseIterable & RawRepresentable<String> {
    choice(Value.allCases.map { ($0.rawValue, $0) }, later: later)
  }

  /// "a", "b" or "c".
  private static func listed(_ names: [String]) -> String {
    let quoted = names.map { "\"\($0)\"" }
    guard let last = quoted.last, quoted.count > 1 else { return quoted.joined() }
    return quoted.dropLast().joined(separator: ", ") + " or " + last
  }
}

extension Decoding where Value == LogLevel {
  static let logLevel = choice(LogLevel.allCases.map { (String(describing: $0), $0) })
}

extension Decoding where Value == Int32 {
  /// A signal by name ("SIGTERM", "TERM", "SIGRTMIN+2") or by number, signal(7).
  static let signal = Decoding { node, diagnostics in
    switch node.value {
    case .string(let text):
      if let number = SignalName.number(text) { return number }
      let near = Spelling.suggestion(for: text, among: SignalName.all)
      diagnostics.error("unknown signal \(quoted(text))\(near)", at: node.span)
    case .integer(let number, _):
      if (1...64).contains(number) { return Int32(number) }
      diagnostics.error("\(number) is no signal: they are 1…64", at: node.span)
    default: return diagnostics.mismatch("the name of a signal", node)
    }
    return nil
  }
}

extension Decoding where Value == String {
  /// A user or a group: a name or a number.
  ///
  /// Whether there is such a one is looked up at each launch.
  static let account = Decoding { node, diagnostics in
    switch node.value {
    case .integer(let number, _):
      // The largest number means "no change" to setresuid(2).
      if number >= 0, number < Int64(UInt32.max) { return String(number) }
      diagnostics.error("\(number) is outside 0…\(UInt32.max - 1)", at: node.span)
      return nil
    case .string: return nonEmptyString.decode(node, diagnostics)
    default: return diagnostics.mismatch("a name or a number", node)
    }
  }
}
