// Colour for people: on a terminal only, and only where it says good or bad.

import Glibc

package enum TerminalStyle: Hashable, Sendable {
  case plain, coloured

  /// Coloured when the descriptor is a terminal and NO_COLOR is unset or empty (https://no-color.org).
  package static func of(descriptor: Int32, environment: (String) -> String?) -> TerminalStyle {
    guard isatty(descriptor) == 1, (environment("NO_COLOR") ?? "").isEmpty, environment("TERM") != "dumb"
    else {
      return .plain
    }
    return .coloured
  }

  package func bold(_ text: String) -> String { wrap(text, "1") }
  package func green(_ text: String) -> String { wrap(text, "32") }
  package func red(_ text: String) -> String { wrap(text, "31") }
  package func yellow(_ text: String) -> String { wrap(text, "33") }
  package func dim(_ text: String) -> String { wrap(text, "2") }

  /// The colour of a state: green is well, red needs a person, yellow passes.
  package func state(_ state: PublicState) -> (String) -> String {
    switch state {
    case .running: green
    case .blocked, .failed: red
    case .starting, .stopping, .backoff: yellow
    case .stopped: dim
    }
  }

  private func wrap(_ text: String, _ code: String) -> String {
    self == .plain || text.isEmpty ? text : "\u{1b}[\(code)m\(text)\u{1b}[0m"
  }
}
