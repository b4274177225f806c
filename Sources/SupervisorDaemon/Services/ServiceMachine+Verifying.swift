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
      return [.nameOccupants, .arm(now + Self.blockedRetry)]
    }
  }

  private mutating func stillOccupied(
    _ verification: Verification, before: String, _ blocked: ServiceState.Blocked, at now: Instant
  ) -> [ServiceEffect] {
    switch verification.verdict {
    case .clear: return [.disarm, .forgetOccupants, .log(.notice, "the port is free")] + launch(at: now)
    case .occupied(let finding) where finding == before:
      return [.arm(now + Self.blockedRetry), .settle(.blocked(blocked.message))]
    case .occupied(let finding):
      state = .blocked(.init(cause: .occupied(finding: finding), message: blocked.message))
      return [.nameOccupants, .arm(now + Self.blockedRetry)]
    }
  }

  mutating func occupantsNamed(_ occupants: [Occupant]) -> [ServiceEffect] {
    guard case .blocked(let blocked) = state, case .occupied(let finding) = blocked.cause else { return [] }
    let names = occupants.map(\.description)
    let message =
      names.isEmpty
      ? "\(finding), but no process that can be read here holds it; it is launched when the port is free"
      : "\(finding) by \(names.joined(separator: ", ")), which is not ours; it is launched when the port is free"
    guard message != blocked.message else { return [.settle(.blocked(message))] }
    state = .blocked(.init(cause: blocked.cause, message: message))
    return [.watchOccupants(occupants), .log(.warning, "blocked: \(message)"), .settle(.blocked(message))]
  }

  mutating func occupantExited() -> [ServiceEffect] {
    guard case .blocked(let blocked) = state, case .occupied = blocked.cause else { return [] }
    return [.verify]
  }

  private mutating func come(to rest: ServiceState.Rest, at now: Instant) -> [ServiceEffect] {
    let report = endEpisode(at: now)
    switch rest {
    case .stopped:
      state = .stopped
      return [.disarm, .log(.notice, "stopped"), .settle(.stopped(report))]
    case .failed(let message):
      state = .failed(message: message)
      return [.disarm, .log(.error, message), .settle(.failed(message))]
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
