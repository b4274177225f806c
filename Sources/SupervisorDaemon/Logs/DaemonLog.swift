// The daemon's own log: one entry per decision, to the journal or as a line of text to stderr.

import Glibc
import Supervisor

/// The daemon's own log.
package final class DaemonLog {
  /// What is less severe than this is not logged.
  package var threshold: LogLevel

  private let output: NonBlockingOutput
  private let journal: JournalSocket?
  private let style: Style
  /// Entries of a time in which journald was gone, and stderr, which led there, with it.
  private var waiting: [[UInt8]] = []

  /// So many entries wait for journald; those that come then are lost.
  private static let waitingLimit = 256

  /// How a line of text says its level.
  package enum Style {
    case plain, coloured, prioritized
    /// For people at a desk: "web  > generation 2 is ready"; also for those who look from elsewhere.
    case console(LogContext.Colours, ConsoleTap)
  }

  /// Of the longest name, for a console.
  var nameWidth = 0

  /// Whether one line a relaunch is wanted, in place of its details.
  package var isConsole: Bool {
    if case .console = style { true } else { false }
  }

  /// With a journal, entries go there, and to `output` only what journald does not take.
  package init(
    output: NonBlockingOutput, threshold: LogLevel = .info, style: Style = .plain,
    journal: JournalSocket? = nil
  ) {
    (self.output, self.threshold, self.style, self.journal) = (output, threshold, style, journal)
  }

  /// Logs one entry; control characters become visible, so nobody's name can pretend to be a line.
  ///
  /// `lines` are what belongs below the message, such as the last output of a service.
  package func log(
    _ level: LogLevel, service: String? = nil, generation: Int? = nil, pid: Int32? = nil,
    _ message: @autoclosure () -> String, lines: [String] = [], kind: EventKind? = nil
  ) {
    guard level <= threshold, !isConsole || !ConsoleLine.isNoise(kind, level) else { return }
    let text = [ProcessTable.printable(message())] + lines.map { "  | " + LogText.text(of: Array($0.utf8)) }
    let service = service.map(ProcessTable.printable)
    if let journal {
      var fields: [(name: String, value: String)] = [
        ("MESSAGE", (service.map { "\($0): " } ?? "") + text.joined(separator: "\n")),
        ("PRIORITY", "\(level.rawValue)"), ("SYSLOG_IDENTIFIER", "fdsupervisord"),
      ]
      if let kind { fields.append(("MESSAGE_ID", kind.messageID)) }
      if let service { fields.append(("SERVICE", service)) }
      if let generation { fields.append(("GENERATION", "\(generation)")) }
      if let pid { fields.append(("PID", "\(pid)")) }
      let entry = JournalSocket.entry(fields)
      if sendWaiting(to: journal), journal.send(entry) { return }
      write(level, service: service, text)
      if output.isBroken, waiting.count < Self.waitingLimit { waiting.append(entry) }
      return
    }
    write(level, service: service, text)
  }

  /// Writes what still waits for a reader, as far as that goes now: for the end of the program.
  package func flush() { output.flush() }

  /// In their order; false when journald still takes nothing.
  private func sendWaiting(to journal: JournalSocket) -> Bool {
    let sent = waiting.prefix { journal.send($0) }.count
    waiting.removeFirst(sent)
    return waiting.isEmpty
  }

  private func write(_ level: LogLevel, service: String?, _ text: [String]) {
    if case .console(let colours, let tap) = style {
      let lines = text.map {
        ConsoleLine(service: service ?? "", kind: .event(level), text: Array($0.utf8))
      }
      var bytes: [UInt8] = []
      for line in lines {
        line.appended(to: &bytes, colours: colours, width: nameWidth)
        bytes.append(newline)
      }
      output.write(bytes)
      return tap.put(lines)
    }
    let name = "fdsupervisord: " + (service.map { "\($0): " } ?? "")
    let lines = text.map { line in
      switch style {
      case .plain: name + line + "\n"
      case .prioritized: "<\(level.rawValue)>" + name + line + "\n"
      case .console: line + "\n"
      case .coloured: Self.colour(level).map { "\($0)\(name)\(line)\u{1B}[0m\n" } ?? name + line + "\n"
      }
    }
    output.write(Array(lines.joined().utf8))
  }

  /// The colour of a level, as journalctl(1) has them; nil for the terminal's own.
  private static func colour(_ level: LogLevel) -> String? {
    switch level {
    case .error: "\u{1B}[1;31m"
    case .warning: "\u{1B}[33m"
    case .notice: "\u{1B}[1m"
    case .info: nil
    case .debug: "\u{1B}[2m"
    }
  }
}
