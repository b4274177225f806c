// What a daemon that died left of a service: a generation to go on with, or one that has to end first.

import Supervisor

extension LeftGeneration {
  /// What becomes of it.
  package enum Fate: Hashable, Sendable {
    case goesOn
    /// It goes on until its successor is launched, in order: it is not what the configuration says any more.
    case isRelaunched
    case isEnded
  }

  /// - Parameter wanted: the fingerprint of the definition; nil when the configuration has no such service.
  package func fate(wanted: UInt64?) -> Fate {
    guard let wanted, intent == .held, pid != nil else { return .isEnded }
    // What ended is relaunched, or not, as if a daemon had seen it end.
    return fingerprint == wanted || exit != nil ? .goesOn : .isRelaunched
  }
}

extension ServiceMachine {
  /// Nobody heard it meanwhile: one that is not ready yet gets its time for that anew.
  mutating func adopted(_ left: LeftGeneration, age: Duration, at now: Instant) -> [ServiceEffect] {
    guard case .stopped = state, left.generation > generation, let pid = left.pid else { return [] }
    generation = left.generation
    let log = ServiceEffect.log(
      .notice, kind: .takenOver,
      "generation \(generation) goes on, pid \(pid): its keeper held it while there was no daemon")
    if left.readiness == .ready || definition.readiness == .exec {
      let since = now.nanoseconds - min(now.nanoseconds, age.wholeNanoseconds)
      state = .running(.init(pid: pid, since: Instant(nanoseconds: since)))
      return [log]
    }
    let deadline = now + definition.startTimeout
    state = .starting(.init(pid: pid, launched: now, deadline: deadline, probes: 0))
    return [log, .arm(definition.readiness == .listen ? now : deadline)]
  }

  mutating func leftBehind(_ left: LeftGeneration, at now: Instant) -> [ServiceEffect] {
    guard case .stopped = state, left.generation > generation else { return [] }
    generation = left.generation
    beginEpisode(at: now)
    if let pid = left.pid, let exit = left.exit { lastExit = LastExit(pid: pid, reason: exit) }
    let main = left.exit == nil ? left.pid : nil
    state = .sweeping(.init(began: now, aim: .rest(.stopped), phase: .looking(rounds: 0), main: main))
    return [
      .log(
        .notice, kind: .leftoverEnded,
        "generation \(generation) of a daemon that died is not gone yet; it ends first"), .scan,
    ]
  }
}
