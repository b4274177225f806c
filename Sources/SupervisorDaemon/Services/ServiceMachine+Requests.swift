// What people ask for: start, stop, restart, hurry. Idempotent intents, whatever the state.

import Supervisor

extension ServiceMachine {
  mutating func startRequested(at now: Instant) -> [ServiceEffect] {
    switch state {
    case .stopped, .failed, .backingOff: return begin(at: now)
    case .blocked(let blocked): return unblock(blocked, at: now)
    case .verifying(var verifying):
      verifying.purpose = .launch
      state = .verifying(verifying)
    case .launching(var launching):
      if launching.intent == .stop { launching.intent = .restart }
      state = .launching(launching)
    case .starting: break
    case .running:
      return [settlementOfRun]
    case .stopping, .sweeping:
      forgive()
      aim(at: .relaunch(notBefore: now, message: nil))
    }
    return []
  }

  mutating func restartRequested(at now: Instant) -> [ServiceEffect] {
    switch state {
    case .stopped, .failed, .backingOff: return begin(at: now)
    case .blocked(let blocked): return unblock(blocked, at: now)
    case .verifying(var verifying):
      verifying.purpose = .launch
      state = .verifying(verifying)
    case .launching(var launching):
      launching.intent = .restart
      state = .launching(launching)
    case .starting, .running:
      forgive()
      return stop(aim: .relaunch(notBefore: now, message: nil), at: now)
    case .stopping, .sweeping:
      forgive()
      aim(at: .relaunch(notBefore: now, message: nil))
    }
    return []
  }

  mutating func stopRequested(at now: Instant) -> [ServiceEffect] {
    switch state {
    case .stopped: return [.settle(.stopped(nil))]
    case .failed, .backingOff: return rest()
    case .blocked(let blocked):
      guard case .unkillable(var sweeping) = blocked.cause else { return rest() }
      sweeping.aim = .rest(.stopped)
      state = .blocked(.init(cause: .unkillable(sweeping), message: blocked.message))
      return [.settle(.blocked(blocked.message))]
    case .verifying(var verifying):
      verifying.purpose = .rest(.stopped)
      state = .verifying(verifying)
    case .launching(var launching):
      launching.intent = .stop
      launching.deadline = min(launching.deadline, now + definition.stopTimeout)
      state = .launching(launching)
      return [.arm(launching.deadline)]
    case .starting, .running: return stop(aim: .rest(.stopped), at: now)
    case .stopping, .sweeping: aim(at: .rest(.stopped))
    }
    return []
  }

  mutating func hurryRequested(at now: Instant) -> [ServiceEffect] {
    switch state {
    case .launching(let launching): return launching.intent == .stop ? abandon(launching, at: now) : []
    case .stopping(var stopping):
      stopping.pace = .hurried
      state = .stopping(stopping)
      return killMain(at: now)
    case .sweeping(var sweeping):
      switch sweeping.phase {
      case .looking, .terminating:
        sweeping.phase = .killing(since: now, rounds: 0)
        sweeping.endMercy()
        state = .sweeping(sweeping)
        return [.killStrays]
      case .killing:
        guard sweeping.mercy == .byPolicy else { return [] }
        sweeping.endMercy()
        state = .sweeping(sweeping)
        return [.killStrays]
      }
    case .stopped, .verifying, .starting, .running, .backingOff, .blocked, .failed: return []
    }
  }

  mutating func requirementFailed(_ name: String) -> [ServiceEffect] {
    switch state {
    case .stopped, .failed, .backingOff:
      let message = "requires \(name), which failed"
      state = .failed(message: message)
      episode = nil
      return [.disarm, .log(.error, kind: .gaveUp, message), .settle(.failed(message))]
    // What it has it keeps; who asked for the start learns how it stands.
    case .running: return [settlementOfRun]
    case .blocked(let blocked): return [.settle(.blocked(blocked.message))]
    case .verifying, .launching, .starting, .stopping, .sweeping: return []
    }
  }

  private var settlementOfRun: ServiceEffect {
    .settle(.running(report ?? RelaunchReport(service: definition.name, generation: generation)))
  }

  /// A person asked: what failed before does not count any more.
  private mutating func forgive() {
    failures = 0
    history.forget()
  }

  private mutating func begin(at now: Instant) -> [ServiceEffect] {
    forgive()
    beginEpisode(at: now)
    // What was found at the crash stays in the report; the time counts from the request.
    episode?.began = now
    return [.disarm] + verify(for: .launch, at: now)
  }

  private mutating func unblock(_ blocked: ServiceState.Blocked, at now: Instant) -> [ServiceEffect] {
    forgive()
    switch blocked.cause {
    case .occupied:
      return [.verify]
    case .unkillable(var sweeping):
      sweeping.aim = .relaunch(notBefore: now, message: nil)
      state = .blocked(.init(cause: .unkillable(sweeping), message: blocked.message))
      return [.settle(.blocked(blocked.message))]
    }
  }

  /// Nothing runs, and nothing is to be done.
  private mutating func rest() -> [ServiceEffect] {
    state = .stopped
    episode = nil
    return [.disarm, .forgetOccupants, .settle(.stopped(nil))]
  }

  /// Changes what follows a stop that is under way.
  private mutating func aim(at aim: ServiceState.Aim) {
    switch state {
    case .stopping(var stopping):
      stopping.aim = aim
      state = .stopping(stopping)
    case .sweeping(var sweeping):
      sweeping.aim = aim
      state = .sweeping(sweeping)
    case .stopped, .verifying, .launching, .starting, .running, .backingOff, .blocked, .failed: break
    }
  }
}
