// `free`: the daemon does it, or where there is none for this user, the tool itself.

import ArgumentParser
import Glibc
import Supervisor

struct FreeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "free",
    abstract: "End the processes that hold an address; works without a daemon too.",
    discussion: """
      Ended are those that have a descriptor of the listening (or bound UDP) socket; who is only connected to it is \
      left alone. On a terminal it shows them and asks first; elsewhere it does not ask.
      """)
  @OptionGroup var shared: SharedOptions
  @Flag(name: .shortAndLong, help: "Don't ask.")
  var yes = false
  @Argument(help: "The address, or the name of a socket or a service.")
  var address: String

  func run() throws {
    try shared.run { session throws(Failure) in
      let address = try Address(address)
      do throws(Failure) {
        return try throughDaemon(session, address.text)
      } catch {
        // Who names a daemon means that one.
        guard session.control == nil, error.isWithoutDaemon, case .address(let parsed, _) = address else {
          throw error
        }
        return try FreeAlone(address: parsed, session: session, asks: asks).run()
      }
    }
  }

  private var asks: Bool { !yes && isatty(STDIN_FILENO) == 1 }

  private func throughDaemon(_ session: Session, _ text: String) throws(Failure) -> Int32 {
    var parameters = AddressParameters(address: text)
    if asks {
      let found = try Session.decode(
        try session.call(.holders, AddressParameters(address: text)), HoldersReply.self)
      let pids = Set(found.holders.map(\.pid)).sorted()
      let lines = found.holders.map { HoldersText.sentence($0) }
      guard pids.isEmpty || Confirmation.ask(lines, count: pids.count) else { return ExitStatus.failed }
      parameters.pids = pids
    }
    let reply = try session.call(.free, parameters)
    let left = try Session.decode(reply, HoldersReply.self)
    try session.show(reply, as: HoldersReply.self) { HoldersText.lines($0, style: session.style) }
    return left.holders.isEmpty ? ExitStatus.done : ExitStatus.failed
  }
}
