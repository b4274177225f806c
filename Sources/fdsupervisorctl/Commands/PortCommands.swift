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
        Output.print(lines(reply, session))
      }
      return ExitStatus.done
    }
  }

  private func lines(_ reply: HoldersReply, _ session: Session) -> [String] {
    if address != nil { return HoldersText.lines(reply, style: session.style) }
    return ListenersText.lines(reply, width: Output.width, style: session.style)
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
