// One machine over the replacement of its daemon: all that it knows as a value, and what has to be set up again.

import Supervisor

extension ServiceMachine {
  /// Everything that a machine knows and its definition does not say.
  ///
  /// Instants are of CLOCK_MONOTONIC, which goes on over execve(2).
  package struct Snapshot: Hashable, Sendable, Codable {
    var state: ServiceState
    var generation: Int
    var lastExit: LastExit?
    var report: RelaunchReport?
    var failures: Int
    var history: LaunchHistory
    var episode: Episode?
    var random: SplitMix64
    /// Absent in what older versions wrote.
    var takenPorts: [String]?
  }

  package var snapshot: Snapshot {
    Snapshot(
      state: state, generation: generation, lastExit: lastExit, report: report, failures: failures,
      history: history, episode: episode, random: random, takenPorts: takenPorts)
  }

  /// Goes on where another process left off.
  package init(definition: ServiceDefinition, restoring snapshot: Snapshot) {
    self.init(definition: definition, seed: 0)
    state = snapshot.state
    generation = snapshot.generation
    lastExit = snapshot.lastExit
    report = snapshot.report
    failures = snapshot.failures
    history = snapshot.history
    episode = snapshot.episode
    random = snapshot.random
    takenPorts = snapshot.takenPorts ?? []
  }

  /// What the drivers of the process before had under way, asked for once more: timers, looks, searches, watches.
  ///
  /// Nobody is signalled a second time who may still be thinking about the first signal.
  package mutating func resumed(at now: Instant) -> [ServiceEffect] {
    switch state {
    case .stopped, .failed, .running: return []
    case .verifying: return [.verify]
    case .launching(let launching): return [.arm(launching.deadline)]
    case .starting(let starting):
      return definition.readiness == .listen ? [.probePorts] : [.arm(starting.deadline)]
    case .stopping(let stopping):
      if let killed = stopping.killed { return [.arm(killed + Self.killPatience)] }
      return [.arm(stopping.began + definition.stopTimeout)]
    case .sweeping(let sweeping): return resumed(sweeping)
    case .backingOff(let backingOff): return [.arm(backingOff.until)]
    case .blocked(var blocked):
      switch blocked.cause {
      case .occupied:
        // Who was watched is looked for again.
        blocked.naming = .outdated
        state = .blocked(blocked)
        return [.verify]
      case .unkillable(let sweeping): return [sweeping.kill]
      }
    }
  }

  private func resumed(_ sweeping: ServiceState.Sweeping) -> [ServiceEffect] {
    switch sweeping.phase {
    case .looking: return [.scan]
    case .terminating:
      let living = sweeping.doomed
      let told = living.map(\.found).max() ?? sweeping.began
      return [.arm(told + definition.strayTimeout), .watchStrays(living.map(\.stray)), .scan]
    case .killing: return [sweeping.kill]
    }
  }
}
