// One line of a console: who, what kind, and its text; the same line with colours or without. Pure.

import Supervisor

/// A line as people at a desk see it: "web  | listening", "web  > generation 2 is ready".
package struct ConsoleLine: Hashable, Sendable {
  /// The service; empty for the daemon itself.
  package var service: String
  package var kind: Kind
  package var text: [UInt8]

  package enum Kind: Hashable, Sendable {
    /// What a service wrote.
    case output
    /// What we say.
    case event(LogLevel)
  }

  package init(service: String, kind: Kind, text: [UInt8]) {
    (self.service, self.kind, self.text) = (service, kind, text)
  }

  /// Names that are longer are not aligned with.
  static let longestPadding = 24

  /// Without its newline; `width` is that of the longest name.
  package func appended(to bytes: inout [UInt8], colours: LogContext.Colours, width: Int) {
    let padding = String(repeating: " ", count: max(0, width - service.count))
    let mark = kind == .output ? "|" : ">"
    switch colours {
    case .off: bytes.append(contentsOf: Array("\(service)\(padding) \(mark) ".utf8))
    case .on:
      let colour = service.isEmpty ? 2 : Self.colour(of: service)
      bytes.append(contentsOf: Array("\u{1B}[\(colour)m\(service)\(padding) \(mark)\u{1B}[0m ".utf8))
    }
    appendText(to: &bytes, colours)
  }

  /// As a string of its own.
  package func rendered(colours: LogContext.Colours, width: Int) -> String {
    var bytes: [UInt8] = []
    appended(to: &bytes, colours: colours, width: width)
    return String(decoding: bytes, as: UTF8.self)
  }

  private func appendText(to bytes: inout [UInt8], _ colours: LogContext.Colours) {
    switch (kind, colours) {
    case (.output, .on): text.withUnsafeBytes { LogText.appendForTerminal($0, to: &bytes) }
    case (.output, .off): bytes.append(contentsOf: Array(LogText.text(of: text).utf8))
    case (.event, .off), (.event(.info), .on): bytes.append(contentsOf: text)
    case (.event(let level), .on):
      bytes.append(contentsOf: Array("\u{1B}[\(Self.colour(of: level))m".utf8))
      bytes.append(contentsOf: text)
      bytes.append(contentsOf: Array("\u{1B}[0m".utf8))
    }
  }

  /// As journalctl(1) has them.
  private static func colour(of level: LogLevel) -> String {
    switch level {
    case .error: "1;31"
    case .warning: "33"
    case .notice: "1"
    case .info: "0"
    case .debug: "2"
    }
  }

  /// The same for a name at each start: FNV-1a over its bytes, without red, which means failure.
  static func colour(of service: String) -> Int {
    let hash = service.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    return [32, 33, 34, 35, 36, 92, 94, 95, 96][Int(hash % 9)]
  }
}

extension ConsoleLine {
  /// Entries that say at a desk what another line says, or what nobody there asks: the journal has them.
  package static func isNoise(_ kind: EventKind?, _ level: LogLevel) -> Bool {
    switch kind {
    // One line of the report says these, unless something is wrong.
    case .serviceReady, .straySwept, .relaunchReport, .daemonStarted, .daemonStopped: level > .warning
    // The line before it says why, and the run what it waits for now.
    case .gaveUp: true
    default: false
    }
  }
}
