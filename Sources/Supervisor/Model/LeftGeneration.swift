// A generation that a daemon left behind when it died, as the keeper above it tells of it.

package struct LeftGeneration: Hashable, Sendable {
  package var service: String
  package var generation: Int
  /// The main process, or what it was; nil when the keeper said nothing.
  package var pid: Int32?
  /// How the main process ended; nil while it lives.
  package var exit: ExitReason?
  package var readiness = Readiness.notYet
  package var intent: Intent
  /// Of the definition that it was launched with.
  package var fingerprint: UInt64 = 0

  package enum Readiness: Hashable, Sendable { case ready, notYet }

  package enum Intent: Hashable, Sendable {
    /// The keeper waits for a daemon that goes on with it.
    case held
    /// The keeper is sweeping, or said nothing: nobody stops that.
    case ending
  }

  package init(service: String, generation: Int, intent: Intent) {
    self.service = service
    self.generation = generation
    self.intent = intent
  }
}
