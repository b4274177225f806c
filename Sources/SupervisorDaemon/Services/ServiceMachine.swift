// The life of one service as a pure machine: facts in, effects out, no system call. docs/states.md shows it.
// The files beside this one hold one kind of event each: requests, launching, stopping, sweeping, verifying.

import Supervisor

/// Decides everything about one service.
///
/// Invariant: `launch` is only ever the effect of a clean `verified`, which only ever follows `treeEmptied` of the
/// generation before. The simulation holds it to this.
///
/// A new definition that its processes could notice comes into force between the two, so that the verification is about
/// the new ports and sockets.
package struct ServiceMachine: Sendable {
  /// The one in force.
  package internal(set) var definition: ServiceDefinition
  /// The one that is in force when nothing of the current generation is left.
  package internal(set) var nextDefinition: ServiceDefinition?
  package internal(set) var state = ServiceState.stopped
  /// The last launch, numbered from 1; 0 before the first.
  package internal(set) var generation = 0
  package internal(set) var lastExit: LastExit?
  /// The last relaunch that came to an end.
  package internal(set) var report: RelaunchReport?

  /// Failures in a row.
  var failures = 0
  var history = LaunchHistory()
  /// From the request or the exit on, until the service runs or rests.
  var episode: Episode?
  var random: SplitMix64
  /// Guarded ports that were taken from strays that live on: whoever binds them has to set SO_REUSEADDR.
  var takenPorts: [String] = []

  package init(definition: ServiceDefinition, seed: UInt64) {
    self.definition = definition
    random = SplitMix64(seed: seed)
  }

  /// Takes a fact, changes the state, and says what is to be done, in this order.
  package mutating func handle(_ event: ServiceEvent, at now: Instant) -> [ServiceEffect] {
    if let subject = event.generation, subject != generation { return [] }
    switch event {
    case .startRequested: return startRequested(at: now)
    case .stopRequested: return stopRequested(at: now)
    case .restartRequested: return restartRequested(at: now)
    case .hurryRequested: return hurryRequested(at: now)
    case .requirementFailed(let name): return requirementFailed(name)
    case .redefined(let definition, let takeover): return redefined(definition, takeover)
    case .adopted(let left, let age): return adopted(left, age: age, at: now)
    case .leftBehind(let left): return leftBehind(left, at: now)
    case .verified(let verification): return verified(verification, at: now)
    case .executed(_, let pid): return executed(pid, at: now)
    case .launchFailed(_, let failure): return launchFailed(failure, at: now)
    case .notified: return announced(by: .notify, at: now)
    case .bound: return announced(by: .bind, at: now)
    case .probed(_, let listening): return probed(listening, at: now)
    case .mainExited(_, let reason): return mainExited(reason, at: now)
    case .keeperLost: return keeperLost(at: now)
    case .treeEmptied: return treeEmptied(at: now)
    case .scanned(_, let strays): return scanned(strays, at: now)
    case .strayExited(_, let pid): return strayExited(pid, at: now)
    case .parted(_, let partings): return parted(partings, at: now)
    case .timerFired: return timerFired(at: now)
    case .occupantsNamed(let occupants): return occupantsNamed(occupants)
    case .occupantExited: return occupantExited()
    }
  }

  /// Launches after the first.
  package var restarts: Int { max(0, generation - 1) }

  /// The time between two looks at what SIGKILL should have removed, before it is called unkillable.
  static let unkillableAfter: Duration = .seconds(5)
  /// How often a blocked service looks again, for what no pidfd can tell.
  static let blockedRetry: Duration = .seconds(2)

  /// One relaunch, while it happens.
  struct Episode: Hashable, Sendable, Codable {
    var began: Instant
    var report: RelaunchReport
  }

  /// Starts the record of a relaunch unless one is under way.
  mutating func beginEpisode(at now: Instant) {
    if episode == nil {
      episode = Episode(began: now, report: RelaunchReport(service: definition.name, generation: generation))
    }
  }

  /// Ends the record; the report is complete from here on.
  mutating func endEpisode(at now: Instant) -> RelaunchReport {
    var report = episode?.report ?? RelaunchReport(service: definition.name, generation: generation)
    if let episode { report.milliseconds = (now - episode.began).milliseconds }
    report.generation = generation
    self.report = report
    episode = nil
    return report
  }
}
