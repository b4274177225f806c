// The verbs about services.

import ArgumentParser
import Supervisor

struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the services; with names, exit with 3 unless all of them run.")
  @OptionGroup var shared: SharedOptions
  @Argument(help: "Names or patterns of services.", completion: .custom(ServiceNames.complete))
  var names: [String] = []

  func run() throws {
    try shared.run { session throws(Failure) in try ServiceVerb.status.run(names, session) }
  }
}

struct StartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Start services; return when they are ready.")
  @OptionGroup var shared: SharedOptions
  @OptionGroup var services: ServiceArguments

  func run() throws {
    try shared.run { session throws(Failure) in
      try ServiceVerb.start.run(services.names, all: services.all, session)
    }
  }
}

struct StopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop", abstract: "Stop services; their listeners stay open, and connections queue.")
  @OptionGroup var shared: SharedOptions
  @OptionGroup var services: ServiceArguments
  @Flag(help: "Close the listeners too, for a run by hand; start opens them again.")
  var close = false

  func run() throws {
    try shared.run { session throws(Failure) in
      if !close { return try ServiceVerb.stop.run(services.names, all: services.all, session) }
      let selection = try Selection(services.names, all: services.all)
      return try Operation.run(
        .stop, StopParameters(names: selection.names, all: selection.all, close: true), session)
    }
  }
}

struct RestartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart", abstract: "Stop, sweep, verify, launch; return when ready, with the report.")
  @OptionGroup var shared: SharedOptions
  @OptionGroup var services: ServiceArguments

  func run() throws {
    try shared.run { session throws(Failure) in
      try ServiceVerb.restart.run(services.names, all: services.all, session)
    }
  }
}

struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload", abstract: "Send services their reload_signal.")
  @OptionGroup var shared: SharedOptions
  @OptionGroup var services: ServiceArguments

  func run() throws {
    try shared.run { session throws(Failure) in
      try ServiceVerb.reload.run(services.names, all: services.all, session)
    }
  }
}

struct SignalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "signal", abstract: "Send the main process of services a signal.")
  @OptionGroup var shared: SharedOptions
  @OptionGroup var services: ServiceArguments
  @Option(
    name: .shortAndLong, help: "SIGUSR1, USR1 or a number; else the first name is taken for it.",
    completion: .list(SignalName.all))
  var signal: String?

  func run() throws {
    try shared.run { session throws(Failure) in
      let (signal, names) = try signalAndNames()
      let selection = try Selection(names, all: services.all)
      return try Operation.run(
        .signal, SignalParameters(names: selection.names, all: selection.all, signal: SignalName.of(signal)),
        session)
    }
  }

  /// `signal --signal USR1 app`, or `signal USR1 app`.
  private func signalAndNames() throws(Failure) -> (Int32, [String]) {
    guard let text = signal ?? services.names.first else {
      throw Failure(ExitStatus.usage, "no signal is named; say --signal SIGUSR1")
    }
    guard let number = SignalName.number(text) else {
      let hint = signal == nil ? "; say --signal SIGUSR1" : "; expected a name as SIGUSR1, or 1 to 64"
      throw Failure(ExitStatus.usage, "\"\(Text.shortened(text))\" is no signal\(hint)")
    }
    return (number, signal == nil ? Array(services.names.dropFirst()) : services.names)
  }
}

struct WaitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wait",
    abstract: "Wait until services, or all of them, are running; fail when one is stopped or failed.")
  @OptionGroup var shared: SharedOptions
  @OptionGroup var services: ServiceArguments
  @Option(help: "How long: 60s, 1m30s, 250ms; else for ever.")
  var timeout: String?

  func run() throws {
    try shared.run { session throws(Failure) in
      let selection = try Selection(services.names, all: services.all || services.names.isEmpty)
      let limit = try milliseconds()
      return try Operation.run(
        .wait, WaitParameters(names: selection.names, all: selection.all, timeout: limit), session)
    }
  }

  private func milliseconds() throws(Failure) -> Int? {
    guard let timeout else { return nil }
    guard let milliseconds = DurationText.milliseconds(timeout) else {
      throw Failure(ExitStatus.usage, "\"\(Text.shortened(timeout))\" is no time; expected 60s, 1m30s, 250ms")
    }
    return milliseconds
  }
}

struct TreeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tree", abstract: "Show the processes of services, and what they hold.")
  @OptionGroup var shared: SharedOptions
  @OptionGroup var services: ServiceArguments

  func run() throws {
    try shared.run { session throws(Failure) in
      let selection = try Selection(services.names, all: services.all)
      let reply = try session.call(.tree, ServiceSelection(names: selection.names, all: selection.all))
      try session.show(reply, as: TreeReply.self) { TreeText.lines($0, style: session.style) }
      return ExitStatus.done
    }
  }
}
