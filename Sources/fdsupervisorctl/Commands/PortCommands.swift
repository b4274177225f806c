// The verbs about sockets and addresses.

import ArgumentParser
import Glibc
import Supervisor

struct SocketsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sockets", abstract: "Show the daemon's sockets, their queues and their holders.")
  @OptionGroup var shared: SharedOptions

  func run() throws {
    try shared.run { session throws(Failure) in
      let reply = try session.call(.sockets, NoParameters())
      try session.show(reply, as: SocketsReply.self) { HoldersText.lines($0, style: session.style) }
      return ExitStatus.done
    }
  }
}

struct HoldersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "holders",
    abstract: "Show who listens on an address, or on every port; works without a daemon too.")
  @OptionGroup var shared: SharedOptions
  @Argument(
    help: "127.0.0.1:8000, [::]:80, 8000, udp:…, unix:/path, a socket's or service's name; else every port.")
  var address: String?

  func run() throws {
    try shared.run { session throws(Failure) in
      let reply = try find(session)
      if session.format == .json {
        Output.print(json: try Session.encode(reply))
      } else {
        Output.print(HoldersText.lines(reply, style: session.style))
      }
      return ExitStatus.done
    }
  }

  private func find(_ session: Session) throws(Failure) -> HoldersReply {
    guard let address else { return try Self.ofEveryPort(session) }
    switch try Address(address) {
    case .name(let name, let error): return try Self.ofSocket(name, error, session)
    case .address(let parsed, let text):
      do throws(Failure) {
        return try Session.decode(
          try session.call(.holders, AddressParameters(address: text)), HoldersReply.self)
      } catch {
        // No daemon, or one that is not for this user: what this process can see by itself.
        return try Self.seenFromHere { () throws(SystemError) in try HolderQuery.holders(of: parsed) }
      }
    }
  }

  private static func ofSocket(
    _ name: String, _ error: AddressError, _ session: Session
  ) throws(Failure) -> HoldersReply {
    do throws(Failure) {
      return try Session.decode(
        try session.call(.holders, AddressParameters(address: name)), HoldersReply.self)
    } catch let failure {
      throw Failure(
        ExitStatus.failed,
        "invalid address \"\(name)\": \(error); nor is it known as the name of a socket: \(failure.message)")
    }
  }

  private static func ofEveryPort(_ session: Session) throws(Failure) -> HoldersReply {
    do throws(Failure) {
      return try Session.decode(try session.call(.holders, AddressParameters(address: "")), HoldersReply.self)
    } catch {
      return try seenFromHere { () throws(SystemError) in try HolderQuery.allListeners() }
    }
  }

  private static func seenFromHere(_ look: () throws(SystemError) -> HoldersReply) throws(Failure)
    -> HoldersReply
  {
    do throws(SystemError) {
      return try look()
    } catch {
      throw Failure(ExitStatus.failed, error.description)
    }
  }
}

struct FreeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "free", abstract: "End the processes that hold an address.",
    discussion: "On a terminal it shows them and asks first; elsewhere it does not ask.")
  @OptionGroup var shared: SharedOptions
  @Flag(name: .shortAndLong, help: "Don't ask.")
  var yes = false
  @Argument(help: "The address, or the name of a socket or a service.")
  var address: String

  func run() throws {
    try shared.run { session throws(Failure) in
      let text = try Address(address).text
      var parameters = AddressParameters(address: text)
      if !yes, isatty(STDIN_FILENO) == 1 {
        guard let agreed = try ask(session, text) else { return ExitStatus.failed }
        parameters.pids = agreed
      }
      let reply = try session.call(.free, parameters)
      let left = try Session.decode(reply, HoldersReply.self)
      try session.show(reply, as: HoldersReply.self) { HoldersText.lines($0, style: session.style) }
      return left.holders.isEmpty ? ExitStatus.done : ExitStatus.failed
    }
  }

  /// The processes that may be ended; nil when the person says no.
  private func ask(_ session: Session, _ text: String) throws(Failure) -> [Int32]? {
    let found = try Session.decode(
      try session.call(.holders, AddressParameters(address: text)), HoldersReply.self)
    if found.holders.isEmpty { return [] }
    let list = found.holders.map { "  \(HoldersText.sentence($0))\n" }.joined()
    let count = Set(found.holders.map(\.pid)).count
    Output.write(
      "\(list)End \(count == 1 ? "this process" : "these \(count) processes")? [y/N] ", to: STDERR_FILENO)
    let answer = readLine() ?? ""
    return ["y", "yes"].contains(answer.lowercased()) ? found.holders.map(\.pid) : nil
  }
}
