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
        .error, "\(address) is taken; --take-over ends who has it, --listen chooses another address",
        lines: screen(of: taken))
      return .left
    case .ask:
      log.log(.warning, "\(address) is taken", lines: screen(of: taken))
      log.flush()
      guard TerminalQuestion.ask("press f to free it, any other key to leave it alone: ") == Self.takeOverKey
      else { return .left }
    case .remove: log.log(.notice, "\(address) is taken", lines: screen(of: taken))
    case .removeSilently: break
    }
    return try remove(taken)
  }

  private func remove(_ taken: TakenPort) throws(SystemError) -> Outcome {
    for remark in HolderRemoval.run(taken.processes) {
      let prefix = taken.origin == .leftover ? "a leftover of an earlier run in this directory: " : ""
      log.log(.notice, prefix + remark)
    }
    guard let left = try TakenPort(taken.address, marker: marker) else { return .free }
    log.log(.error, "\(taken.address) is still taken", lines: screen(of: left))
    return .left
  }

  enum Decision { case removeSilently, remove, ask, leave }

  /// What is to be done about the holders of an address.
  func decision(about taken: TakenPort) -> Decision {
    // PID 1 holds the sockets of its units: they are stopped there.
    if taken.processes.isEmpty || taken.processes.contains(where: { $0.pid == 1 }) { return .leave }
    if taken.origin == .leftover { return .removeSilently }
    if arguments.taken == .takeOver { return .remove }
    let isAtTerminal =
      arguments.place == .here && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
    return isAtTerminal ? .ask : .leave
  }

  /// Who has it, for people.
  func screen(of taken: TakenPort) -> [String] {
    let known = HolderScreen.lines(HolderTree.of(taken.holders.holders)).map { String($0.dropFirst(2)) }
    return known + taken.holders.remarks
  }
}
