// The verbs that take names of services: one table for the fast path and the argument parser.

import Glibc
import Supervisor

enum ServiceVerb: String, CaseIterable {
  case status, start, stop, restart, reload

  var method: ControlMethod {
    switch self {
    case .status: .status
    case .start: .start
    case .stop: .stop
    case .restart: .restart
    case .reload: .reload
    }
  }

  /// Carries it out; `names` is not checked yet.
  func run(_ names: [String], all: Bool = false, _ session: Session) throws(Failure) -> Int32 {
    if self == .status { return try Self.status(names, session) }
    let selection = try Selection(names, all: all)
    return try Operation.run(method, json: selection.parameters.json, session)
  }

  /// In text, and with names, the exit status says whether all of them run.
  private static func status(_ names: [String], _ session: Session) throws(Failure) -> Int32 {
    let selection = try Selection(names, all: names.isEmpty)
    let daemon = try session.connect()
    let reply = try Session.call(.status, json: selection.parameters.json, daemon.client)
    if session.format == .json {
      Output.print(json: reply.parameters)
      return ExitStatus.done
    }
    let status = try Session.decode(reply, StatusReply.self)
    let title = daemon.directory.map { [session.style.dim("in \(ProcessTable.printable($0)):")] } ?? []
    Output.print(title + StatusText.lines(status, now: Clock.wallClock(), style: session.style))
    let isWell = names.isEmpty || status.services.allSatisfy { $0.state == .running }
    return isWell ? ExitStatus.done : ExitStatus.notRunning
  }
}

/// Names of services as they were typed, checked before anybody is asked.
struct Selection {
  let names: [String]
  let all: Bool?

  var parameters: ServiceSelection { ServiceSelection(names: names, all: all) }

  /// The longest name or pattern, in bytes.
  private static let longestName = 255

  init(_ names: [String], all: Bool) throws(Failure) {
    if names.isEmpty, !all { throw Failure(ExitStatus.usage, "no service is named; name one, or say --all") }
    if !names.isEmpty, all { throw Failure(ExitStatus.usage, "--all and names exclude each other") }
    for name in names { try Self.check(name) }
    self.names = names
    self.all = all ? true : nil
  }

  private static func check(_ name: String) throws(Failure) {
    if name.isEmpty { throw Failure(ExitStatus.usage, "the name of a service is empty") }
    if name.utf8.count > longestName {
      throw Failure(
        ExitStatus.usage,
        "\"\(name.prefix(32))…\" has \(name.utf8.count) bytes, a name at most \(longestName)")
    }
    if ProcessTable.printable(name) != name {
      throw Failure(ExitStatus.usage, "\"\(name)\" has a control character, which no name has")
    }
  }
}
