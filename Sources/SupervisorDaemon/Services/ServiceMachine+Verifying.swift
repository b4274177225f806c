// Before a launch and after a stop: is everything of the last generation gone, are the guarded ports free?

import Supervisor

extension ServiceMachine {
  mutating func verify(for purpose: ServiceState.Verifying.Purpose, at now: Instant) -> [ServiceEffect] {
    state = .verifying(.init(purpose: purpose, began: now))
    return [.verify]
  }

  mutating func verified(_ verification: Verification, at now: Instant) -> [ServiceEffect] {
    switch state {
    case .verifying(let verifying):
      // What was looked at were the ports of the old definition.
      if nextDefinition != nil { return takeOver() + verify(for: verifying.purpose, at: now) }
      record(verification, took: now - verifying.began)
      switch verifying.purpose {
      case .launch: return launchIfClear(verification, at: now)
      case .rest(let rest): return come(to: rest, at: now)
      }
    case .blocked(let blocked):
      guard case .occupied(let finding) = blocked.cause else { return [] }
      record(verification, took: .zero)
      return stillOccupied(verification, before: finding, blocked, at: now)
    case .stopped, .launching, .starting, .running, .stopping, .sweeping, .backingOff, .failed: return []
    }
  }

  private mutating func launchIfClear(_ verification: Verification, at now: Instant) -> [ServiceEffect] {
    switch verification.verdict {
    case .clear: return launch(at: now)
    case .occupied(let finding):
      state = .blocked(.init(cause: .occupied(finding: finding), message: finding))
      return [.nameOccupants, .arm(now + occupiedInterval(looks: 0))]
    }
  }

  /// A port that nobody holds any more may need a moment to become free (io_uring takes some 100 ms to end): the
  /// looks after 20, 40, 80 … 1,280 ms are for that, and only then nobody's port is called blocked.
  private func occupiedInterval(looks: Int) -> Duration {
    looks < Self.quickLooks ? .milliseconds(20 << looks) : Self.blockedRetry
  }

  private static let quickLooks = 7

  private mutating func stillOccupied(
    _ verification: Verification, before: String, _ blocked: ServiceState.Blocked, at now: Instant
  ) -> [ServiceEffect] {
    switch verification.verdict {
    case .clear:
      return [.disarm, .forgetOccupants, .log(.notice, kind: .portFree, "the port is free")] + launch(at: now)
    case .occupied(let finding):
      var next = blocked
      next.cause = .occupied(finding: finding)
      next.looks += 1
      let isOutdated = finding != before || next.looks == Self.quickLooks || blocked.naming == .outdated
      if isOutdated { next.naming = .underWay }
      state = .blocked(next)
      let timer = ServiceEffect.arm(now + occupiedInterval(looks: next.looks))
      switch next.naming {
      case .underWay where isOutdated: return [.nameOccupants, timer]
      case .underWay, .outdated: return [timer]
      case .done: return [timer, .settle(.blocked(blocked.message))]
      }
    }
  }

  mutating func occupantsNamed(_ occupants: [Occupant]) -> [ServiceEffect] {
    guard case .blocked(var blocked) = state, case .occupied(let finding) = blocked.cause else { return [] }
    if occupants.isEmpty, blocked.looks < Self.quickLooks { return [] }
    blocked.naming = .done
    let message = finding + Self.whoHasIt(occupants) + "; it is launched when the port is free"
    let isNews = message != blocked.message
    blocked.message = message
    state = .blocked(blocked)
    guard isNews else { return [.watchOccupants(occupants), .settle(.blocked(message))] }
    return [
      .watchOccupants(occupants), .log(.warning, kind: .portTaken, "blocked: \(message)"),
      .settle(.blocked(message)),
    ]
  }

  private static func whoHasIt(_ occupants: [Occupant]) -> String {
    if occupants.isEmpty { return ", but no process that can be read here holds it" }
    let names = occupants.map(\.description).joined(separator: ", ")
    let areAllSpared = occupants.allSatisfy { $0.standing == .reported }
    return " by \(names)"
      + (areAllSpared ? ", a stray that strays = \"report\" spares" : ", which is not ours")
  }

  mutating func occupantExited() -> [ServiceEffect] {
    guard case .blocked(var blocked) = state, case .occupied = blocked.cause else { return [] }
    blocked.naming = .outdated
    state = .blocked(blocked)
    return [.verify]
  }

  private mutating func come(to rest: ServiceState.Rest, at now: Instant) -> [ServiceEffect] {
    let report = endEpisode(at: now)
    switch rest {
    case .stopped:
      state = .stopped
      return [.disarm, .log(.notice, kind: .serviceStopped, "stopped"), .settle(.stopped(report))]
    case .failed(let message):
      state = .failed(message: message)
      return [.disarm, .log(.error, kind: .gaveUp, message), .settle(.failed(message))]
    }
  }

  private mutating func record(_ verification: Verification, took: Duration) {
    episode?.report.verified = verification.addresses
    for repair in verification.repaired where episode?.report.repaired.contains(repair) == false {
      episode?.report.repaired.append(repair)
    }
    episode?.report.queued = verification.queued
    episode?.report.steps.verify = took.milliseconds
  }
}
