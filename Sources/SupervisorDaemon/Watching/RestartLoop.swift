// A service that writes what it is watched for is restarted for ever: this notices. Pure.

import Supervisor

/// The last restarts of a service because of changes.
package struct RestartLoop {
  private var restarts: [Instant] = []

  package init() {}

  /// So many restarts within so long, each so soon after readiness, are no person at work.
  package static let count = 5
  package static let interval: Duration = .seconds(10)
  package static let soon: Duration = .seconds(1)

  /// Whether this restart is one of a loop; told once in a row.
  ///
  /// - Parameter ready: when the service became ready; nil when it was not.
  package mutating func noteRestart(at now: Instant, ready: Instant?) -> Bool {
    guard let ready, now - ready <= Self.soon else {
      restarts = []
      return false
    }
    restarts.append(now)
    let recent = restarts.suffix(Self.count)
    restarts = Array(recent)
    guard let first = recent.first, recent.count == Self.count, now - first <= Self.interval else {
      return false
    }
    restarts = []
    return true
  }
}
