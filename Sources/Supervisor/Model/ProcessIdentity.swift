// Who a process is. A pid alone is reused; a pid with its start time is not (proc(5), field 22 of stat).

package struct ProcessIdentity: Hashable, Sendable {
  package var pid: Int32
  /// Clock ticks since boot, /proc/PID/stat field 22.
  package var startTime: UInt64

  package init(pid: Int32, startTime: UInt64) {
    self.pid = pid
    self.startTime = startTime
  }
}

/// How a process ended, waitid(2).
package enum ExitReason: Hashable, Sendable {
  case exited(Int32)
  case signalled(Int32, coreDumped: Bool)

  package var isSuccess: Bool { self == .exited(0) }
}

extension ExitReason: CustomStringConvertible {
  package var description: String {
    switch self {
    case .exited(let status): "exit \(status)"
    case .signalled(let number, let core): SignalName.of(number) + (core ? " (core dumped)" : "")
    }
  }
}
