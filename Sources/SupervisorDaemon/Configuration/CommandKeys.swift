// `command = ["flask", "run"]` or `command = "flask run"`.

import Supervisor

extension Decoding where Value == [Located<String>] {
  /// The words of a command, at least one; the first is not empty.
  static let command = Decoding { node, diagnostics in
    switch node.value {
    case .array:
      return Decoding<String>.string.located.array.decode(node, diagnostics).flatMap {
        checked($0, node, diagnostics)
      }
    case .string(let text):
      return split(text, node.span, diagnostics).flatMap { checked($0, node, diagnostics) }
    default:
      return diagnostics.mismatch("an array of strings, or a string", node)
    }
  }

  private static func checked(
    _ words: [Located<String>], _ node: TOMLNode, _ diagnostics: Diagnostics
  ) -> [Located<String>]? {
    if let program = words.first, !program.value.isEmpty { return words }
    diagnostics.error("the command is empty", at: words.first?.span ?? node.span)
    return nil
  }

  private static func split(_ text: String, _ span: SourceSpan, _ diagnostics: Diagnostics) -> [Located<
    String
  >]? {
    do throws(CommandError) {
      let words = try CommandWords.split(text)
      let located = words.map {
        Located(value: $0.text, span: span.part(of: text, offset: $0.offset, length: $0.length))
      }
      if let first = located.first, isAssignment(first.value) {
        let message =
          "the command starts with \(quoted(first.value)), which only a shell takes for a variable; "
          + "write it in 'environment'"
        diagnostics.error(message, at: first.span)
        return nil
      }
      return located
    } catch {
      diagnostics.error(error.message, at: span.part(of: text, offset: error.offset, length: error.length))
      return nil
    }
  }

  /// NAME=value, with a name that a shell would accept.
  private static func isAssignment(_ word: String) -> Bool {
    guard let equals = word.firstIndex(of: "=") else { return false }
    return EnvironmentFile.isName(word[..<equals])
  }
}
