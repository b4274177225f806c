// `watch = ["*.py"]`, `watch_ignore = ["generated/"]`, `watch_delay = "50ms"`.

import Supervisor

enum WatchKeys {
  static let all: [Key<ServiceDraft>] = [
    Key("watch", \.watch, pattern.array),
    Key("watch_ignore", \.watchIgnore, pattern.array),
    Key("watch_delay", \.watchDelay, delay.located),
  ]

  /// A stop may have to wait for the end of a burst.
  private static let delay = Decoding.duration.requiring("the time must be at most 10s") {
    $0 <= .seconds(10)
  }

  /// One that can't match is an error: it would only show by changes that nobody is told of.
  private static let pattern = Decoding.nonEmptyString.then { text, node, diagnostics -> Located<String>? in
    if let problem = problem(of: text) {
      diagnostics.error(problem, at: node.span)
      return nil
    }
    return Located(value: text, span: node.span)
  }

  private static func problem(of text: String) -> String? {
    let path = text.hasPrefix("!") ? text.dropFirst() : text[...]
    if path.allSatisfy({ $0 == "/" || $0 == " " }) { return "the pattern matches nothing" }
    if path.utf8.contains(0) { return "the pattern contains a null byte" }
    // gitignore(5) would take it for a comment.
    if path.hasPrefix("#"), path.startIndex == text.startIndex {
      return "the pattern begins with '#', which is a comment; write '\\\(escaped(text))'"
    }
    let folders = path.split(separator: "/")
    if folders.contains("..") || folders.contains(".") {
      return
        "the pattern \(quoted(text)) has '.' or '..' in it; patterns go down from 'directory', without them"
    }
    return nil
  }

  static func check(_ draft: ServiceDraft, _ node: TOMLNode, _ diagnostics: Diagnostics) {
    if case .table(let keys) = node.value, keys.contains(where: { $0.key == "watch" }) { return }
    for (name, span) in [
      ("watch_ignore", draft.watchIgnore.first?.span), ("watch_delay", draft.watchDelay?.span),
    ] {
      if let span { diagnostics.error("'\(name)' means nothing without 'watch'", at: span) }
    }
  }
}
