// From the launch to readiness, and what follows a failure.

import Supervisor

extension ServiceMachine {
  /// The next generation.
  ///
  /// Called only with a clean verification in hand.
  mutating func launch(at now: Instant) -> [ServiceEffect] {
    beginEpisode(at: now)
    generation += 1
    history.count(at: now, limit: definition.startLimit)
    state = .launching(.init(began: now, intent: .run))
    return [.launch(generation: generation)]
  }

  mutating func executed(_ pid: Int32, at now: Instant) -> [ServiceEffect] {
    guard case .launching(let launching) = state else { return [] }
    episode?.report.pid = pid
    episode?.report.steps.launch = (now - launching.began).milliseconds
    switch (launching.intent, definition.readiness) {
    case (.run, .exec): return becomeReady(pid: pid, launched: now, at: now)
    case (.run, .notify), (.run, .listen):
      let starting = ServiceState.Starting(
        pid: pid, launched: now, deadline: now + definition.startTimeout, probes: 0)
      state = .starting(starting)
      return [.arm(nextLook(starting, at: now))]
    case (.stop, _):
      state = .running(.init(pid: pid, since: now))
      return stop(aim: .rest(.stopped), at: now)
    case (.restart, _):
      state = .running(.init(pid: pid, since: now))
      return stop(aim: .relaunch(notBefore: now, message: nil), at: now)
    }
  }

  mutating func notified(at now: Instant) -> [ServiceEffect] {
    guard case .starting(let starting) = state, definition.readiness == .notify else { return [] }
    return becomeReady(pid: starting.pid, launched: starting.launched, at: now)
  }

  mutating func probed(_ listening: ServiceEvent.PortsListening, at now: Instant) -> [ServiceEffect] {
    guard case .starting(var starting) = state, definition.readiness == .listen else { return [] }
    switch listening {
    case .all: return becomeReady(pid: starting.pid, launched: starting.launched, at: now)
    case .notYet:
      starting.probes += 1
      state = .starting(starting)
      return [.arm(nextLook(starting, at: now))]
    }
  }

  /// The kernel tells nobody that a port listens now: look after 1, 2, 4 … 100 ms, while it is starting.
  private func nextLook(_ starting: ServiceState.Starting, at now: Instant) -> Instant {
    guard definition.readiness == .listen else { return starting.deadline }
    let interval = Duration.milliseconds(min(100, 1 << min(starting.probes, 7)))
    return min(starting.deadline, now + interval)
  }

  private mutating func becomeReady(pid: Int32, launched: Instant, at now: Instant) -> [ServiceEffect] {
    state = .running(.init(pid: pid, since: now))
    episode?.report.steps.ready = (now - launched).milliseconds
    let report = endEpisode(at: now)
    let text = "generation \(generation) is ready, pid \(pid), \(Int(report.milliseconds.rounded())) ms"
    return [.disarm, .log(.notice, text), .settle(.running(report))]
  }

  mutating func launchFailed(_ failure: LaunchFailure, at now: Instant) -> [ServiceEffect] {
    guard case .launching(let launching) = state else { return [] }
    let aim: ServiceState.Aim =
      switch launching.intent {
      case .stop: .rest(.stopped)
      case .restart: .relaunch(notBefore: now, message: nil)
      case .run:
        definition.restart == .never
          ? .rest(.failed(failure.message)) : aimAfterFailure(failure.message, at: now)
      }
    let log = ServiceEffect.log(.error, failure.message)
    switch failure.keeper {
    case .none: return [log] + pursue(aim, at: now)
    case .exiting:
      state = .sweeping(.init(began: now, aim: aim, phase: .looking(rounds: 0), strays: []))
      return [log, .arm(now + lookInterval(rounds: 0))]
    }
  }

  /// What follows one more failure in a row: at once, after a delay, or not at all.
  mutating func aimAfterFailure(_ message: String, at now: Instant) -> ServiceState.Aim {
    failures += 1
    let limit = definition.startLimit
    if history.isExhausted(at: now, limit: limit) {
      let text = "\(message); \(limit.burst) launches within \(limit.interval.text) are the start limit"
      switch limit.action {
      case .fail: return .rest(.failed(text))
      case .retry: return .relaunch(notBefore: now + definition.backoff.max, message: text)
      }
    }
    let delay = definition.backoff.delay(afterFailure: failures, random: random.fraction())
    return .relaunch(notBefore: now + delay, message: message)
  }

  /// Nothing of the last generation is left: on to what is wanted.
  mutating func pursue(_ aim: ServiceState.Aim, at now: Instant) -> [ServiceEffect] {
    switch aim {
    case .rest(let rest): return verify(for: .rest(rest), at: now)
    case .relaunch(let notBefore, let message):
      if notBefore <= now { return verify(for: .launch, at: now) }
      let text = message ?? "waits for its next launch"
      state = .backingOff(.init(until: notBefore, message: text))
      return [
        .arm(notBefore), .log(.info, "next launch in \((notBefore - now).text)"), .settle(.backingOff(text)),
      ]
    }
  }
}
