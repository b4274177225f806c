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
    let deadline = now + definition.startTimeout
    state = .launching(.init(began: now, deadline: deadline, intent: .run))
    return [.launch(generation: generation), .arm(deadline)]
  }

  mutating func executed(_ pid: Int32, at now: Instant) -> [ServiceEffect] {
    if case .sweeping(var sweeping) = state {
      sweeping.main = pid
      state = .sweeping(sweeping)
    }
    guard case .launching(let launching) = state else { return [] }
    episode?.report.pid = pid
    episode?.report.steps.launch = (now - launching.began).milliseconds
    switch (launching.intent, definition.readiness) {
    case (.run, .exec): return becomeReady(pid: pid, launched: now, at: now)
    case (.run, .notify) where launching.isNotified, (.run, .bind) where launching.isNotified:
      return becomeReady(pid: pid, launched: now, at: now)
    case (.run, .notify), (.run, .listen), (.run, .bind):
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

  /// The generation itself showed that it is ready.
  mutating func announced(by readiness: Readiness, at now: Instant) -> [ServiceEffect] {
    guard definition.readiness == readiness else { return [] }
    switch state {
    case .launching(var launching):
      // A quick service is ahead of its keeper: between the two nobody keeps an order.
      launching.isNotified = true
      state = .launching(launching)
      return []
    case .starting(let starting):
      return becomeReady(pid: starting.pid, launched: starting.launched, at: now)
    case .stopped, .verifying, .running, .stopping, .sweeping, .backingOff, .blocked, .failed: return []
    }
  }

  mutating func probed(_ listening: ServiceEvent.PortsListening, at now: Instant) -> [ServiceEffect] {
    guard case .starting(var starting) = state, definition.readiness == .listen else { return [] }
    switch listening {
    case .all: return becomeReady(pid: starting.pid, launched: starting.launched, at: now)
    case .notYet where now >= starting.deadline: return isNotReady(starting, at: now)
    case .notYet:
      starting.probes += 1
      state = .starting(starting)
      return [.arm(nextLook(starting, at: now))]
    }
  }

  /// Readiness by listening is looked for once more at the very end.
  mutating func startTimerFired(_ starting: ServiceState.Starting, at now: Instant) -> [ServiceEffect] {
    if definition.readiness == .listen { return [.probePorts] }
    return now >= starting.deadline ? isNotReady(starting, at: now) : [.arm(starting.deadline)]
  }

  private mutating func isNotReady(_ starting: ServiceState.Starting, at now: Instant) -> [ServiceEffect] {
    switch definition.startTimeoutAction {
    case .fail:
      let message = "not ready within \(definition.startTimeout.text) (start_timeout)"
      let aim = aimAfterFailureOrRest(message, at: now)
      return [.log(.error, kind: .notReady, message)] + stop(aim: aim, at: now)
    case .proceed: return becomeReady(pid: starting.pid, launched: starting.launched, at: now)
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
    return [.disarm, .log(.notice, kind: .serviceReady, text), .settle(.running(report))]
  }

  mutating func launchFailed(_ failure: LaunchFailure, at now: Instant) -> [ServiceEffect] {
    guard case .launching(let launching) = state else { return [] }
    let aim = aimAfterLaunch(launching, failure.message, at: now)
    // What is given up is told when it comes to rest, with the reason.
    var log = [ServiceEffect.log(.error, kind: .launchFailed, failure.message)]
    if case .rest(.failed) = aim { log = [] }
    switch failure.keeper {
    case .none: return log + pursue(aim, at: now)
    case .exiting:
      state = .sweeping(.init(began: now, aim: aim, phase: .looking(rounds: 0)))
      return log + [.arm(now + lookInterval(rounds: 0))]
    }
  }

  mutating func launchTimerFired(_ launching: ServiceState.Launching, at now: Instant) -> [ServiceEffect] {
    guard now >= launching.deadline else { return [.arm(launching.deadline)] }
    return abandon(launching, at: now)
  }

  /// A launch hangs, as over a dead file system: whatever has come of it goes, and what comes of it yet.
  mutating func abandon(_ launching: ServiceState.Launching, at now: Instant) -> [ServiceEffect] {
    let message = "not executed after \((now - launching.began).text)"
    let aim = aimAfterLaunch(launching, message, at: now)
    state = .sweeping(.init(began: now, aim: aim, phase: .killing(since: now, rounds: 0)))
    return [.log(.error, kind: .launchFailed, "\(message): the launch is given up"), .killStrays]
  }

  /// What follows a launch that came to nothing.
  mutating func aimAfterLaunch(_ launching: ServiceState.Launching, _ message: String, at now: Instant)
    -> ServiceState.Aim
  {
    switch launching.intent {
    case .stop: .rest(.stopped)
    case .restart: .relaunch(notBefore: now, message: nil)
    case .run: aimAfterFailureOrRest(message, at: now)
    }
  }

  /// What follows a failure; with `restart = "never"` that is its end.
  mutating func aimAfterFailureOrRest(_ message: String, at now: Instant) -> ServiceState.Aim {
    definition.restart == .never ? .rest(.failed(message)) : aimAfterFailure(message, at: now)
  }

  /// What follows one more failure in a row: at once, after a delay, or not at all.
  mutating func aimAfterFailure(_ message: String, at now: Instant) -> ServiceState.Aim {
    failures += 1
    let limit = definition.startLimit
    if history.isExhausted(at: now, limit: limit) {
      let text = "\(message); \(limit.burst) launches within \(limit.interval.text) are the start limit"
      switch limit.action {
      case .fail: return .rest(.failed(text))
      case .retry: return .relaunch(notBefore: now + definition.backoff.longest, message: text)
      }
    }
    let delay = definition.backoff.delay(afterFailure: failures, random: random.fraction())
    return .relaunch(notBefore: now + delay, message: message)
  }

  /// Nothing of the last generation is left: on to what is wanted.
  mutating func pursue(_ aim: ServiceState.Aim, at now: Instant) -> [ServiceEffect] {
    let takeover = takeOver()
    switch aim {
    case .rest(let rest): return takeover + verify(for: .rest(rest), at: now)
    case .relaunch(let notBefore, let message):
      if notBefore <= now { return takeover + verify(for: .launch, at: now) }
      let text = message ?? "waits for its next launch"
      state = .backingOff(.init(until: notBefore, message: text))
      return takeover + [
        .arm(notBefore), .log(.info, kind: .backingOff, "next launch in \((notBefore - now).text)"),
        .settle(.backingOff(text)),
      ]
    }
  }
}
