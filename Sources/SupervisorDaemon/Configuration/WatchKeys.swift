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

  private static let pattern = Decoding.nonEmptyString.then { text, node, diagnostics -> Located<String>? in
    if let problem = PatternText.problem(with: text) {
      diagnostics.error(problem, at: node.span)
      return nil
    }
    return Located(value: text, span: node.span)
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
