// `environment = { NAME = "value" }`.

import Supervisor

extension Decoding where Value == [Located<EnvironmentEntry>] {
  /// In the order of the file.
  static let environment = Decoding { node, diagnostics in
    guard case .table(let entries) = node.value else {
      return diagnostics.mismatch("a table such as { NAME = \"value\" }", node)
    }
    return entries.compactMap { entry in
      if entry.key.isEmpty || entry.key.contains("=") {
        diagnostics.error("invalid name \(quoted(entry.key)) of a variable", at: entry.keySpan)
      }
      return Decoding<String>.string.decode(entry.node, diagnostics).map {
        Located(value: EnvironmentEntry(name: entry.key, value: $0), span: entry.node.span)
      }
    }
  }
}
