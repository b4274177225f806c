// What a relaunch found and did: the one screen that people read after `restart`.

/// The report of one relaunch, in the order in which it happened.
package struct RelaunchReport: Hashable, Sendable, Codable {
  package var service: String
  /// The generation that was launched; the one before it was stopped.
  package var generation: Int
  /// The main process of the new generation; absent when nothing was launched (a stop).
  package var pid: Int32?
  /// From the request, or the exit of the main process, to readiness.
  package var milliseconds: Double = 0
  package var steps = Steps()
  package var stopped: StoppedProcess?
  package var strays: [StrayRecord] = []
  package var verified: [VerifiedAddress] = []
  /// Connections that waited in the accept queues when the new generation was launched.
  package var queued: Int?
  /// What was found broken and mended: "listener web: O_NONBLOCK cleared".
  package var repaired: [String] = []

  package init(service: String, generation: Int) {
    self.service = service
    self.generation = generation
  }

  /// How long each step took, in milliseconds; absent when it did not happen.
  package struct Steps: Hashable, Sendable, Codable {
    package var stop: Double?
    package var sweep: Double?
    package var verify: Double?
    package var launch: Double?
    package var ready: Double?
    package init() {}
  }

  /// The end of the main process of the generation before.
  package struct StoppedProcess: Hashable, Sendable, Codable {
    package var pid: Int32
    package var command: String
    /// The signals that were sent, in order: "SIGTERM", "SIGKILL"; empty when it ended by itself.
    package var signals: [String]
    /// "exit 0", "SIGSEGV (core dumped)".
    package var outcome: String
    package var milliseconds: Double

    package init(pid: Int32, command: String, signals: [String], outcome: String, milliseconds: Double) {
      self.pid = pid
      self.command = command
      self.signals = signals
      self.outcome = outcome
      self.milliseconds = milliseconds
    }
  }

  /// A stray that was found, and what became of it.
  package struct StrayRecord: Hashable, Sendable, Codable {
    package var pid: Int32
    package var command: String
    /// What it held: "127.0.0.1:22222 as fd 4"; empty when it held nothing of ours.
    package var held: [String]
    /// Why it escaped: "parent 18011 was gone", "own session", "still below the main process".
    package var remark: String
    package var signals: [String]
    /// nil while it is still there.
    package var milliseconds: Double?
    /// Absent for one that was ended, or is to be.
    package var fate: Fate?
    /// The ports that were taken from it.
    package var taken: [String]?

    /// It lives on, by the configuration.
    package enum Fate: String, Hashable, Sendable, Codable { case released, reported }

    package init(
      pid: Int32, command: String, held: [String] = [], remark: String = "", signals: [String] = [],
      milliseconds: Double? = nil
    ) {
      self.pid = pid
      self.command = command
      self.held = held
      self.remark = remark
      self.signals = signals
      self.milliseconds = milliseconds
    }
  }

  /// An address that was looked at before the launch.
  package struct VerifiedAddress: Hashable, Sendable, Codable {
    package var address: String
    package var kind: Kind
    /// "no descendant holds it", "free".
    package var finding: String

    package enum Kind: String, Hashable, Sendable, Codable { case owned, guarded }

    package init(address: String, kind: Kind, finding: String) {
      self.address = address
      self.kind = kind
      self.finding = finding
    }
  }
}
