// All findings of one load, and how names and values are quoted in them.

/// Collects findings; at most `limit` of them are kept.
final class Diagnostics {
  private static let limit = 100
  private var found: [(order: Int, diagnostic: Diagnostic)] = []
  private var dropped = 0
  private(set) var hasErrors = false

  func error(_ message: String, at span: SourceSpan) {
    add(Diagnostic(.error, message, at: span), order: span.file.order)
  }

  func warning(_ message: String, at span: SourceSpan) {
    add(Diagnostic(.warning, message, at: span), order: span.file.order)
  }

  /// About a file as a whole, the `order`th of the configuration.
  func error(_ message: String, file: String, order: Int) {
    add(Diagnostic(.error, message, file: file), order: order)
  }

  /// By file, then by position.
  var sorted: [Diagnostic] {
    var result = found.sorted { a, b in
      (a.order, a.diagnostic.line, a.diagnostic.column) < (b.order, b.diagnostic.line, b.diagnostic.column)
    }.map(\.diagnostic)
    if dropped > 0, let last = result.last {
      result.append(Diagnostic(.error, "too many errors; \(dropped) more are not shown", file: last.file))
    }
    return result
  }

  private func add(_ diagnostic: Diagnostic, order: Int) {
    if diagnostic.severity == .error { hasErrors = true }
    if found.count < Self.limit { found.append((order, diagnostic)) } else { dropped += 1 }
  }
}

/// The text in single quotes, on one line, control characters escaped, and not longer than a line can bear.
func quoted(_ text: String) -> String {
  let scalars = text.unicodeScalars
  return "'" + escaped(String(scalars.prefix(80))) + (scalars.count > 80 ? "…'" : "'")
}

/// The text with control characters escaped.
func escaped(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\n": result += "\\n"
    case "\t": result += "\\t"
    case "\r": result += "\\r"
    default:
      if scalar.properties.generalCategory == .control {
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
  }
  return result
}
