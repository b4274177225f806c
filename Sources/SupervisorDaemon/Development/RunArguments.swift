// The words behind `fdsupervisord run`: what to run, on what, and how.

import Supervisor

/// What one `run` asks for.
package struct RunArguments: Hashable, Sendable {
  /// Behind `--`; empty: the services of a file.
  package var command: [String] = []
  /// Of a file: these alone; empty: all.
  package var services: [String] = []
  /// Addresses to own from the start.
  package var listen: [SocketAddress] = []
  /// Globs; empty: the usual source files.
  package var watch: [String] = []
  package var ignore: [String] = []
  package var delay: Duration = .milliseconds(50)
  package var watching = Watching.automatic
  package var name: String?
  package var environmentFile: String?
  package var procfile: String?
  package var configuration: String?
  /// The first port that is given to services as PORT.
  package var port: UInt16?
  package var pass: PassMode?
  package var standardInput = StandardInput.nothing
  package var taken = TakenPorts.ask
  package var page = Page.shown
  package var place = Place.here
  package var control: String?

  /// Whether changes of files relaunch services.
  package enum Watching: Hashable, Sendable {
    /// Unless the program sees to that itself.
    case automatic
    case always, never
  }
  package enum StandardInput: Hashable, Sendable { case nothing, terminal }
  /// What is done about a port that somebody else has.
  package enum TakenPorts: Hashable, Sendable { case ask, takeOver }
  package enum Page: Hashable, Sendable { case shown, off }
  package enum Place: Hashable, Sendable {
    case here
    /// In the background, started by a `run --detach` that waits for it.
    case detach, detached
  }

  /// Not for people: `--detach` starts the program once more with it.
  static let detachedFlag = "--detached"

  package enum Command: Hashable { case run(RunArguments), help }

  package init() {}

  /// The words behind "run", in a directory: an absolute path.
  package static func parse(_ words: [String], in folder: String) -> Result<Command, Arguments.UsageError> {
    var parser = Parser(rest: words[...], folder: folder)
    do throws(Arguments.UsageError) {
      return .success(try parser.parse())
    } catch {
      return .failure(error)
    }
  }
}

private struct Parser {
  var rest: ArraySlice<String>
  /// The current directory, absolute.
  let folder: String
  var result = RunArguments()

  mutating func parse() throws(Arguments.UsageError) -> RunArguments.Command {
    while let word = rest.popFirst() {
      if word == "--" {
        result.command = Array(rest)
        if rest.isEmpty { throw .init(description: "there is no command behind --") }
        break
      }
      if word == "--help" || word == "-h" { return .help }
      guard word.hasPrefix("-") else {
        result.services.append(word)
        continue
      }
      try take(word)
    }
    try check()
    return .run(result)
  }

  private mutating func take(_ word: String) throws(Arguments.UsageError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    if parts.count == 1, take(flag: word) { return }
    let option = parts[0]
    guard Self.options.contains(option) else { throw .init(description: "unknown option \"\(option)\"") }
    guard let value = parts.count == 2 ? parts[1] : rest.popFirst(), !value.isEmpty else {
      throw .init(description: "\(option) wants a value")
    }
    try take(option, value)
  }

  private mutating func take(flag: String) -> Bool {
    switch flag {
    case "--no-watch": result.watching = .never
    case "--stdin": result.standardInput = .terminal
    case "--take-over": result.taken = .takeOver
    case "--no-page": result.page = .off
    case "--detach", "-d": result.place = .detach
    case RunArguments.detachedFlag: result.place = .detached
    default: return false
    }
    return true
  }

  private static let options: Set<String> = [
    "--listen", "-l", "--watch", "-w", "--ignore", "-i", "--delay", "--name", "-n", "--env-file", "-e",
    "--procfile", "-f", "--config", "-c", "--port", "-p", "--pass", "--control",
  ]

  private mutating func take(_ option: String, _ value: String) throws(Arguments.UsageError) {
    switch option {
    case "--listen", "-l": result.listen.append(try address(value))
    case "--watch", "-w":
      result.watch.append(try pattern(option, value))
      result.watching = .always
    case "--ignore", "-i": result.ignore.append(try pattern(option, value))
    case "--delay": result.delay = try duration(value)
    case "--name", "-n":
      if let problem = DefinitionName.problem(with: value) {
        throw .init(description: "--name \"\(ProcessTable.printable(value))\": \(problem)")
      }
      result.name = value
    case "--env-file", "-e": result.environmentFile = value
    case "--procfile", "-f": result.procfile = value
    case "--config", "-c": result.configuration = value
    case "--port", "-p":
      guard let port = UInt16(value), port > 0 else {
        throw .init(description: "--port wants a number from 1 to 65535, not \"\(value)\"")
      }
      result.port = port
    case "--pass":
      guard let mode = PassMode.all.first(where: { $0.name == value }) else {
        let names = PassMode.all.map(\.name).joined(separator: ", ")
        throw .init(description: "--pass \"\(value)\" is not known; there are: \(names)")
      }
      result.pass = mode
    default: result.control = value
    }
  }

  private func address(_ text: String) throws(Arguments.UsageError) -> SocketAddress {
    do throws(AddressError) {
      return try SocketAddress(parsing: text)
    } catch {
      throw .init(description: "--listen \"\(ProcessTable.printable(text))\": \(error)")
    }
  }

  private func pattern(_ option: String, _ text: String) throws(Arguments.UsageError) -> String {
    let pattern = PatternText.relative(text, to: folder)
    if let problem = PatternText.problem(with: pattern) {
      throw .init(description: "\(option) \"\(ProcessTable.printable(text))\": \(problem)")
    }
    return pattern
  }

  private func duration(_ text: String) throws(Arguments.UsageError) -> Duration {
    guard let value = Decoding<Duration>.milliseconds(text) else {
      throw .init(description: "--delay wants a time as \"50ms\" or \"1s\", not \"\(text)\"")
    }
    return .milliseconds(value)
  }

  private func check() throws(Arguments.UsageError) {
    if !result.command.isEmpty {
      if let name = result.services.first {
        throw .init(
          description: "\"\(name)\" stands before --: services of a file and a command exclude each other")
      }
      if result.procfile != nil || result.configuration != nil {
        throw .init(description: "a command and a file of services exclude each other")
      }
    }
    if result.procfile != nil, result.configuration != nil {
      throw .init(description: "--procfile and --config exclude each other")
    }
    if result.standardInput == .terminal, result.command.isEmpty {
      throw .init(description: "--stdin is for one command: fdsupervisord run --stdin -- COMMAND")
    }
    if result.standardInput == .terminal, result.place != .here {
      throw .init(description: "--stdin and --detach exclude each other")
    }
  }
}
