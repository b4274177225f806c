// Ports that a run wants and others have: leftovers of ours go, strangers are shown, and go when a person says so.

import Glibc
import Supervisor

/// What a run does about taken ports before its daemon starts.
struct RunPorts {
  enum Outcome { case free, left }

  private let arguments: RunArguments
  /// By which processes of runs in this folder are known.
  let marker: String
  private let log: DaemonLog

  /// The key by which a person takes a port over.
  static let takeOverKey: UInt8 = UInt8(ascii: "f")

  init(_ arguments: RunArguments, _ place: RunConfiguration.Surroundings, log: DaemonLog) {
    (self.arguments, marker, self.log) = (arguments, place.marker, log)
  }

  /// Sees to it that an address is free, before anything of ours has it.
  func clear(_ address: SocketAddress) throws(SystemError) -> Outcome {
    guard let taken = try TakenPort(address, marker: marker) else { return .free }
    switch decision(about: taken) {
    case .leave:
      log.log(
        .error, taken.text("--take-over ends who has it, --listen chooses another address"),
        lines: taken.screen)
      return .left
    case .ask:
      log.log(.warning, "\(address) is taken", lines: taken.screen)
      log.flush()
      guard TerminalQuestion.ask("press f to free it, any other key to leave it alone: ") == Self.takeOverKey
      else { return .left }
    case .remove: log.log(.notice, "\(address) is taken", lines: taken.screen)
    case .removeSilently: break
    }
    return try remove(taken)
  }

  private func remove(_ taken: TakenPort) throws(SystemError) -> Outcome {
    for remark in HolderRemoval.run(taken.plan.chosen) {
      let prefix = taken.origin == .leftover ? "a leftover of an earlier run in this directory: " : ""
      log.log(.notice, prefix + remark)
    }
    guard let left = try TakenPort(taken.address, marker: marker) else { return .free }
    log.log(.error, "\(taken.address) is still taken", lines: left.screen)
    return .left
  }

  enum Decision { case removeSilently, remove, ask, leave }

  /// What is to be done about the holders of an address.
  func decision(about taken: TakenPort) -> Decision {
    if !taken.canBeFreed { return .leave }
    if taken.origin == .leftover { return .removeSilently }
    if arguments.taken == .takeOver { return .remove }
    let isAtTerminal =
      arguments.place == .here && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
    return isAtTerminal ? .ask : .leave
  }
}
