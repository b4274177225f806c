// A file changed of which a service is made: whether that is a reason to launch it.

import Supervisor

extension ServiceGraph {
  /// Restarts the service, or starts it when it failed or came to its end by itself.
  ///
  /// nil: it rests because somebody wanted that, or was never started, and goes on resting.
  package mutating func filesChanged(_ service: Int, at now: Instant) -> [Action]? {
    if retired.contains(service) || pendingStops.contains(service) { return nil }
    // It waits for others, and will be launched with what the files are by then.
    if pendingStarts.contains(service), machines[service].isAtRest { return [] }
    return machines[service].isWantedByItsWatch ? restart([service], at: now) : nil
  }
}

extension ServiceMachine {
  fileprivate var isWantedByItsWatch: Bool {
    switch state {
    case .stopped: return report.map { $0.pid == nil && Self.endedByItself($0) } ?? false
    case .sweeping(let sweeping) where sweeping.aim == .rest(.stopped):
      return episode.map { Self.endedByItself($0.report) } ?? false
    case .verifying(let verifying) where verifying.purpose == .rest(.stopped):
      return episode.map { Self.endedByItself($0.report) } ?? false
    case .blocked(let blocked):
      if case .unkillable(let sweeping) = blocked.cause { return sweeping.aim != .rest(.stopped) }
      return true
    case .launching(let launching): return launching.intent != .stop
    case .stopping(let stopping): return stopping.aim != .rest(.stopped)
    case .verifying, .starting, .running, .sweeping, .backingOff, .failed: return true
    }
  }

  /// A main process that nobody signalled: it had done its work.
  private static func endedByItself(_ report: RelaunchReport) -> Bool {
    report.stopped.map { $0.signals.isEmpty } ?? false
  }
}

extension ServiceMachine {
  /// When it became ready; nil when it is not.
  package var readySince: Instant? { if case .running(let running) = state { running.since } else { nil } }

  /// What is verified is that nothing stands in the way of a launch.
  package var isAboutToLaunch: Bool {
    guard case .verifying(let verifying) = state, case .launch = verifying.purpose else { return false }
    return true
  }
}
