// One reload of the configuration, from the request to the answer: what it waits for and what came of it.

import Supervisor

/// A reload that is under way.
///
/// First the services that are removed, or have a listener that is in the way of another, are stopped; then what had to
/// wait for that is opened and started. Relaunches go on all the while.
final class Reload {
  let request: Request
  var reply = ReloadConfigReply(ok: true, message: "")
  var phase = Phase.reading
  /// Whom the phase waits for.
  var awaited: Set<Int> = []
  /// To be started when the stops are over.
  var starts: [Int] = []
  /// To be relaunched when those are settled, for they start after them.
  var relaunchedLater: [Int] = []
  var removed: [Int] = []
  /// Those that are launched, in the order in which they are told.
  var launched: [Int] = []
  /// What each of those came to, as far as it has been told.
  var settlements: [Int: Settlement] = [:]
  /// Under which its listening for progress, and its search for holders, are kept.
  let key: Int

  enum Phase { case reading, stopping, starting }

  init(_ request: Request, key: Int) {
    self.request = request
    self.key = key
  }

  /// Who asks, and for what.
  struct Request {
    /// Like "SIGHUP".
    var reason: String
    var call: ControlCall?
    var scope = Scope.everything

    enum Scope { case everything, dryRun }

    init(because reason: String, call: ControlCall? = nil, scope: Scope = .everything) {
      (self.reason, self.call, self.scope) = (reason, call, scope)
    }
  }
}
