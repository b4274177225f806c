// Verbs that change something: progress while it goes on, the outcome of each service at the end.

import Glibc
import Supervisor

enum Operation {
  /// Calls the method and shows the outcomes; 1 when one of them is bad.
  static func run(
    _ method: ControlMethod, _ parameters: some Encodable, _ session: Session
  ) throws(Failure) -> Int32 {
    try run(method, json: try Session.encode(parameters), session)
  }

  /// The same with parameters that are JSON already.
  static func run(_ method: ControlMethod, json: [UInt8], _ session: Session) throws(Failure) -> Int32 {
    let progress = ProgressLine(for: session)
    let reply = try session.call(method, json: json, onProgress: progress?.show)
    progress?.clear()
    let outcome = try Session.decode(reply, OperationReply.self)
    if session.format == .json {
      Output.print(json: reply.parameters)
    } else {
      Output.print(OutcomeText.lines(outcome, style: session.style))
    }
    return outcome.outcomes.allSatisfy(\.ok) ? ExitStatus.done : ExitStatus.failed
  }
}

/// What goes on, on one line of the terminal, gone at the end.
struct ProgressLine {
  private static let width = 100

  /// nil unless a person watches.
  init?(for session: Session) {
    guard session.format == .text, isatty(STDERR_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
  }

  /// What can't be decoded is not shown: the last reply counts.
  func show(_ reply: ControlClient.Reply) {
    do throws(ControlClientError) {
      let progress = try reply.decode(ProgressReply.self).progress
      let text = Text.shortened(
        ProcessTable.printable("\(progress.service): \(progress.message)"), to: Self.width)
      Output.write("\r\u{1b}[K\(text)", to: STDERR_FILENO)
    } catch {}
  }

  func clear() { Output.write("\r\u{1b}[K", to: STDERR_FILENO) }
}
