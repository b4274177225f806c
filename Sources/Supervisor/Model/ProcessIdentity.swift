// Who a process is. A pid alone is reused; a pid with its start time is not (proc(5), field 22 of stat).

package struct ProcessIdentity: Hashable, Sendable, Codable {
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
  /// SIGKILL by the kernel, for want of memory: whose.
  case outOfMemory(String)

  package var isSuccess: Bool { self == .exited(0) }
  /// Ended by SIGKILL, whoever sent it.
  package var isKill: Bool { self == .signalled(9, coreDumped: false) }

  /// The same, when the kernel's counters say that memory was the reason.
  package func explained(by memoryDeath: String?) -> ExitReason {
    memoryDeath.map { .outOfMemory($0) } ?? self
  }
}

extension ExitReason: CustomStringConvertible {
  package var description: String {
    switch self {
    case .exited(let status): "exit \(status)"
    case .signalled(let number, let core): SignalName.of(number) + (core ? " (core dumped)" : "")
    case .outOfMemory(let why): "SIGKILL by the kernel: \(why)"
    }
  }
}
