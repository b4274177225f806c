// What a service's machine is told: past facts, each about one generation where there is one.

import Supervisor

/// A fact.
///
/// Facts about a generation that is no more are dropped by the machine, in one place.
package enum ServiceEvent: Hashable, Sendable {
  case startRequested
  case stopRequested
  case restartRequested
  /// Somebody lost patience with a stop: no more waiting for anything.
  case hurryRequested
  /// Another service that this one requires failed: its name.
  case requirementFailed(String)
  /// The configuration says something else about it now.
  case redefined(ServiceDefinition, Takeover)

  /// Told before everything else: a keeper of a daemon that died held this generation, and goes on for us.
  case adopted(LeftGeneration, age: Duration)
  /// Likewise, but it is being ended: what is left of it goes before anything is launched.
  case leftBehind(LeftGeneration)

  case verified(Verification)
  /// execve(2) succeeded in the main process.
  case executed(generation: Int, pid: Int32)
  /// Nothing runs; the keeper, if there is one, exits by itself.
  case launchFailed(generation: Int, LaunchFailure)
  case notified(generation: Int)
  /// It has one of its sockets, and listens on it.
  case bound(generation: Int)
  /// Whether every guarded port listens in a descendant.
  case probed(generation: Int, PortsListening)
  case mainExited(generation: Int, ExitReason)
  /// The keeper ended before its tree was empty: somebody killed it. Its tree is ours now.
  case keeperLost(generation: Int)
  /// No process of the generation is left: the keeper's exit, or no adopted orphan.
  case treeEmptied(generation: Int)
  /// Who is alive of a generation whose main process is gone.
  case scanned(generation: Int, [Stray])
  case strayExited(generation: Int, pid: Int32)
  /// What came of taking the ports from strays that may live on.
  case parted(generation: Int, [Parting])
  case timerFired

  /// Who holds the guarded port, found by the walk over all processes.
  case occupantsNamed([Occupant])
  /// One of them ended.
  case occupantExited

  package enum PortsListening: Hashable, Sendable { case all, notYet }

  /// From when on a new definition is in force.
  package enum Takeover: Hashable, Sendable {
    case atOnce
    /// From the moment when nothing of the current generation is left.
    case withNextGeneration
  }

  /// The generation it is about; nil when it is about the service.
  var generation: Int? {
    switch self {
    case .executed(let generation, _), .launchFailed(let generation, _), .notified(let generation),
      .bound(let generation),
      .probed(let generation, _), .mainExited(let generation, _), .keeperLost(let generation),
      .treeEmptied(let generation), .scanned(let generation, _), .strayExited(let generation, _),
      .parted(let generation, _):
      generation
    case .startRequested, .stopRequested, .restartRequested, .hurryRequested, .requirementFailed, .redefined,
      .adopted, .leftBehind, .verified, .timerFired, .occupantsNamed, .occupantExited:
      nil
    }
  }
}

/// A descendant that outlived its main process, as a scan saw it.
package struct Stray: Hashable, Sendable, Codable {
  package var identity: ProcessIdentity
  package var command: String
  /// Like "127.0.0.1:22222 as fd 4".
  package var held: [String]
  package var remark: String
  /// Its parent, as the scan saw it.
  package var parent: Int32 = 0
  /// `stray_allow` has a pattern for its name.
  package var isAllowed = false
  package var use = Use.none

  /// What it does at an owned listener.
  package enum Use: Hashable, Sendable, Codable {
    case none
    /// It runs at the moment: another look may tell.
    case unclear
    /// It waits for connections there, or may not be looked into.
    case accepts
  }
  /// Why it could not be signalled, in errno's words; nil when it could.
  package var refusal: String?

  package init(identity: ProcessIdentity, command: String, held: [String] = [], remark: String = "") {
    self.identity = identity
    self.command = command
    self.held = held
    self.remark = remark
  }
}

/// Whether the guarded ports could be taken from a stray.
package struct Parting: Hashable, Sendable {
  package var identity: ProcessIdentity
  package var outcome: Outcome

  package enum Outcome: Hashable, Sendable {
    /// It has none of them any more: those that were taken.
    case parted([String])
    /// It keeps one: why, one line.
    case inseparable(String)
  }

  package init(_ identity: ProcessIdentity, _ outcome: Outcome) {
    self.identity = identity
    self.outcome = outcome
  }
}

/// What the look at /proc and at the socket table before a launch gave.
package struct Verification: Hashable, Sendable {
  package var verdict: Verdict
  package var addresses: [RelaunchReport.VerifiedAddress]
  package var repaired: [String]
  /// Connections waiting in the accept queues of the owned sockets.
  package var queued: Int?

  package enum Verdict: Hashable, Sendable {
    /// No descendant holds an owned socket, and every guarded port is free.
    case clear
    /// Somebody has a guarded port, or it can't be told that nobody has: one line.
    case occupied(String)
  }

  package init(
    _ verdict: Verdict, addresses: [RelaunchReport.VerifiedAddress] = [], repaired: [String] = [],
    queued: Int? = nil
  ) {
    self.verdict = verdict
    self.addresses = addresses
    self.repaired = repaired
    self.queued = queued
  }
}

/// A process that has a guarded port and is not ours, or is spared.
package struct Occupant: Hashable, Sendable {
  package var identity: ProcessIdentity
  package var standing = Standing.foreign

  package enum Standing: Hashable, Sendable {
    case foreign
    /// A stray that lives on with what it has.
    case reported
  }
  /// Like "pid 812 "nginx -g daemon off;" (user www-data, nginx.service, since 3 h 20 m)".
  package var description: String

  package init(identity: ProcessIdentity, description: String) {
    self.identity = identity
    self.description = description
  }
}
