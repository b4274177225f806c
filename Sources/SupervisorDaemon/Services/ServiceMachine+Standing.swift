// How a machine stands, in the words in which the graph asks.

import Supervisor

extension ServiceMachine {
  /// Nothing runs, and nothing will until somebody asks or a timer fires.
  package var isAtRest: Bool {
    switch state {
    case .stopped, .failed: true
    case .verifying, .launching, .starting, .running, .stopping, .sweeping, .backingOff, .blocked: false
    }
  }

  /// What is left of it does not die.
  package var isUnkillable: Bool {
    guard case .blocked(let blocked) = state, case .unkillable = blocked.cause else { return false }
    return true
  }

  /// Runs, or is on its way there.
  var isUp: Bool {
    switch state {
    case .launching, .verifying: !isGoing
    case .running, .starting: true
    case .stopped, .stopping, .sweeping, .backingOff, .blocked, .failed: false
    }
  }

  /// There is a main process, or one on its way, that nobody told to end.
  var hasMain: Bool {
    switch state {
    case .launching, .starting, .running: true
    case .stopped, .verifying, .stopping, .sweeping, .backingOff, .blocked, .failed: false
    }
  }

  /// Being stopped, with nothing to follow.
  var isGoing: Bool {
    switch state {
    case .stopping(let stopping): if case .rest = stopping.aim { true } else { false }
    case .sweeping(let sweeping): if case .rest = sweeping.aim { true } else { false }
    case .verifying(let verifying): if case .rest = verifying.purpose { true } else { false }
    case .launching(let launching): launching.intent == .stop
    case .stopped, .starting, .running, .backingOff, .blocked, .failed: false
    }
  }
}
