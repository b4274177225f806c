// The name of a state without its facts, in the order of a life.

import SupervisorDaemon

/// A state of `ServiceState`.
enum Phase: String, CaseIterable {
  case stopped, verifying, launching, starting, running, stopping, sweeping, backingOff, blocked, failed

  var isAtRest: Bool { self == .stopped || self == .failed }
}

extension ServiceState {
  var phase: Phase {
    switch self {
    case .stopped: .stopped
    case .verifying: .verifying
    case .launching: .launching
    case .starting: .starting
    case .running: .running
    case .stopping: .stopping
    case .sweeping: .sweeping
    case .backingOff: .backingOff
    case .blocked: .blocked
    case .failed: .failed
    }
  }
}
