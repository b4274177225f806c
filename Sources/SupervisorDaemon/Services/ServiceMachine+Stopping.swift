// The end of the main process: asked for, escalated, or its own doing.

import Supervisor

extension ServiceMachine {
  /// SIGKILL, signal(7).
  static let kill: Int32 = 9

  /// Asks the main process to end; a timer escalates.
  mutating func stop(aim: ServiceState.Aim, at now: Instant) -> [ServiceEffect] {
    guard let pid = state.pid else { return [] }
    beginEpisode(at: now)
    state = .stopping(.init(pid: pid, began: now, signals: [definition.stopSignal], aim: aim))
    return [.signalMain(definition.stopSignal), .arm(now + definition.stopTimeout)]
  }

  mutating func timerFired(at now: Instant) -> [ServiceEffect] {
    switch state {
    case .starting(let starting): return startTimerFired(starting, at: now)
    case .stopping(let stopping):
      return stopping.signals.contains(Self.kill) ? mainIsUnkillable(stopping, at: now) : killMain(at: now)
    case .sweeping(let sweeping): return sweepTimerFired(sweeping, at: now)
    case .backingOff:
      beginEpisode(at: now)
      return verify(for: .launch, at: now)
    case .blocked(let blocked):
      switch blocked.cause {
      case .occupied: return [.verify]
      case .unkillable: return [.killStrays]
      }
    case .stopped, .verifying, .launching, .running, .failed: return []
    }
  }

  private mutating func startTimerFired(_ starting: ServiceState.Starting, at now: Instant) -> [ServiceEffect]
  {
    guard now >= starting.deadline else { return [.probePorts] }
    let message = "not ready within \(definition.startTimeout.text) (start_timeout)"
    let aim: ServiceState.Aim =
      definition.restart == .never ? .rest(.failed(message)) : aimAfterFailure(message, at: now)
    return [.log(.error, message)] + stop(aim: aim, at: now)
  }

  mutating func killMain(at now: Instant) -> [ServiceEffect] {
    guard case .stopping(var stopping) = state, !stopping.signals.contains(Self.kill) else { return [] }
    stopping.signals.append(Self.kill)
    state = .stopping(stopping)
    let text = "pid \(stopping.pid) is still there after \((now - stopping.began).text): SIGKILL"
    return [.log(.warning, text), .signalMain(Self.kill), .arm(now + Self.unkillableAfter)]
  }

  private mutating func mainIsUnkillable(_ stopping: ServiceState.Stopping, at now: Instant)
    -> [ServiceEffect]
  {
    let main = Stray(
      identity: ProcessIdentity(pid: stopping.pid, startTime: 0),
      command: definition.command.joined(separator: " "),
      remark: "the main process")
    let swept = ServiceState.SweptStray(stray: main, found: stopping.began, signals: stopping.signals)
    let sweeping = ServiceState.Sweeping(
      began: now, aim: stopping.aim, phase: .killing(since: now, rounds: 0), strays: [swept])
    return block(sweeping, at: now)
  }

  mutating func mainExited(_ reason: ExitReason, at now: Instant) -> [ServiceEffect] {
    let pid = state.pid ?? lastExit?.pid ?? 0
    switch state {
    case .starting:
      return [.log(.error, "pid \(pid) ended before it was ready: \(reason)")]
        + ended(pid, reason, signals: [], since: now, aim: aimAfterExit(reason, at: now), at: now)
    case .running(let running):
      if now - running.since >= definition.backoff.stableRun { failures = 0 }
      let level = reason.isSuccess ? LogLevel.notice : .warning
      return [.log(level, "pid \(pid) ended after \((now - running.since).text): \(reason)")]
        + ended(pid, reason, signals: [], since: now, aim: aimAfterExit(reason, at: now), at: now)
    case .stopping(let stopping):
      return ended(pid, reason, signals: stopping.signals, since: stopping.began, aim: stopping.aim, at: now)
    case .blocked(let blocked):
      guard case .unkillable(var sweeping) = blocked.cause else { return [] }
      lastExit = LastExit(pid: sweeping.strays.first?.stray.identity.pid ?? pid, reason: reason)
      sweeping.phase = .looking(rounds: 0)
      state = .sweeping(sweeping)
      return [.scan]
    case .sweeping:
      lastExit = LastExit(pid: pid, reason: reason)
      return []
    case .stopped, .verifying, .launching, .backingOff, .failed: return []
    }
  }

  /// The main process is reaped; what it left behind is swept.
  private mutating func ended(
    _ pid: Int32, _ reason: ExitReason, signals: [Int32], since began: Instant, aim: ServiceState.Aim,
    at now: Instant
  ) -> [ServiceEffect] {
    beginEpisode(at: now)
    lastExit = LastExit(pid: pid, reason: reason)
    let took = (now - began).milliseconds
    episode?.report.stopped = .init(
      pid: pid, command: definition.command.joined(separator: " "), signals: signals.map(SignalName.of),
      outcome: reason.description, milliseconds: took)
    episode?.report.steps.stop = took
    episode?.report.pid = nil
    state = .sweeping(.init(began: now, aim: aim, phase: .looking(rounds: 0), strays: []))
    return [.scan]
  }

  private mutating func aimAfterExit(_ reason: ExitReason, at now: Instant) -> ServiceState.Aim {
    let message = "its main process ended: \(reason)"
    switch definition.restart {
    case .never: return .rest(reason.isSuccess ? .stopped : .failed(message))
    case .onFailure where reason.isSuccess: return .rest(.stopped)
    case .onFailure, .always: return aimAfterFailure(message, at: now)
    }
  }

  mutating func keeperLost(at now: Instant) -> [ServiceEffect] {
    let message = "its keeper was killed"
    let aim: ServiceState.Aim
    switch state {
    case .launching, .starting, .running:
      aim = definition.restart == .never ? .rest(.failed(message)) : aimAfterFailure(message, at: now)
    case .stopping(let stopping): aim = stopping.aim
    case .sweeping(let sweeping): aim = sweeping.aim
    case .blocked(let blocked):
      guard case .unkillable(let sweeping) = blocked.cause else { return [] }
      aim = sweeping.aim
    case .stopped, .verifying, .backingOff, .failed: return []
    }
    beginEpisode(at: now)
    state = .sweeping(.init(began: now, aim: aim, phase: .looking(rounds: 0), strays: []))
    return [.log(.error, message + "; its processes are swept all the same"), .scan]
  }
}
