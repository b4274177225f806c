// `{fd:NAME}`, `{port:NAME}` and `{address:NAME}` in arguments and environment values.

/// A place in a text that stands for something of a socket.
package struct Placeholder: Hashable, Sendable {
  package let kind: Kind
  /// The name of a socket; possibly empty, which is a mistake of who wrote it.
  package let name: String
  /// In code points, the braces included.
  package let offset: Int
  package let length: Int

  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// The number of the descriptor in the service.
    case fd
    /// The port; TCP and UDP only.
    case port
    case address
  }

  /// All placeholders of a text, from left to right.
  ///
  /// Any other brace is left alone; there is no escape.
  package static func all(in text: String) -> [Placeholder] {
    var result: [Placeholder] = []
    let scalars = Array(text.unicodeScalars)
    var at = 0
    while let start = scalars[at...].firstIndex(of: "{") {
      if let found = Placeholder(scalars, at: start) {
        result.append(found)
        at = start + found.length
      } else {
        at = start + 1
      }
    }
    return result
  }

  /// The text with every placeholder replaced by what `value` says; one that has no value stays as it is.
  package static func expand(_ text: String, _ value: (Placeholder) -> String?) -> String {
    let scalars = Array(text.unicodeScalars)
    var result = String.UnicodeScalarView()
    var at = 0
    for placeholder in all(in: text) {
      guard let value = value(placeholder) else { continue }
      result.append(contentsOf: scalars[at..<placeholder.offset])
      result.append(contentsOf: value.unicodeScalars)
      at = placeholder.offset + placeholder.length
    }
    result.append(contentsOf: scalars[at...])
    return String(result)
  }

  private init?(_ scalars: [Unicode.Scalar], at start: Int) {
    for kind in Kind.allCases {
      let opening = Array(("{" + kind.rawValue + ":").unicodeScalars)
      guard scalars[start...].starts(with: opening) else { continue }
      let nameStart = start + opening.count
      let name = scalars[nameStart...].prefix(while: DefinitionName.isAllowed)
      guard nameStart + name.count < scalars.count, scalars[nameStart + name.count] == "}" else { return nil }
      var text = String.UnicodeScalarView()
      text.append(contentsOf: name)
      self.kind = kind
      self.name = String(text)
      self.offset = start
      self.length = opening.count + name.count + 1
      return
    }
    return nil
  }
}
