// How the last main process of a service ended, as `status` tells it.

package struct LastExit: Codable, Hashable, Sendable {
  package var pid: Int32
  /// The exit status, when it exited.
  package var status: Int32?
  /// The signal's name, when one ended it.
  package var signal: String?
  /// "exit 1", "SIGKILL".
  package var text: String

  package init(pid: Int32, reason: ExitReason) {
    self.pid = pid
    switch reason {
    case .exited(let status): self.status = status
    case .signalled(let number, _): self.signal = SignalName.of(number)
    case .outOfMemory: self.signal = SignalName.of(9)
    }
    self.text = reason.description
  }
}
