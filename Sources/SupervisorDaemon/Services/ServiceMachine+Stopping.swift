// The end of the main process: asked for, escalated, or its own doing.

import Supervisor

extension ServiceMachine {
  /// SIGKILL, signal(7).
  static let kill: Int32 = 9
  /// When SIGKILL of the main process has no effect for so long, somebody below it may trace it: they all get it.
  ///
  /// The end of a traced process is told to its tracer first, ptrace(2).
  static let killPatience: Duration = .milliseconds(500)

  /// Asks the main process to end; a timer escalates.
  mutating func stop(aim: ServiceState.Aim, at now: Instant) -> [ServiceEffect] {
    guard let pid = state.pid else { return [] }
    beginEpisode(at: now)
    state = .stopping(.init(pid: pid, began: now, signals: [definition.stopSignal], aim: aim))
    return [.signalMain(definition.stopSignal), .arm(now + definition.stopTimeout)]
  }

  mutating func timerFired(at now: Instant) -> [ServiceEffect] {
    switch state {
    case .launching(let launching): return launchTimerFired(launching, at: now)
    case .starting(let starting): return startTimerFired(starting, at: now)
    case .stopping(let stopping):
      guard let killed = stopping.killed else { return killMain(at: now) }
      return now - killed < Self.unkillableAfter ? [.killStrays] : mainIsUnkillable(stopping, at: now)
    case .sweeping(let sweeping): return sweepTimerFired(sweeping, at: now)
    case .backingOff(let backingOff):
      guard now >= backingOff.until else { return [.arm(backingOff.until)] }
      beginEpisode(at: now)
      return verify(for: .launch, at: now)
    case .blocked(let blocked):
      switch blocked.cause {
      case .occupied: return [.verify]
      case .unkillable(let sweeping): return [sweeping.kill]
      }
    case .stopped, .verifying, .running, .failed: return []
    }
  }

  mutating func killMain(at now: Instant) -> [ServiceEffect] {
    guard case .stopping(var stopping) = state, !stopping.signals.contains(Self.kill) else { return [] }
    stopping.signals.append(Self.kill)
    stopping.killed = now
    state = .stopping(stopping)
    let text = "pid \(stopping.pid) is still there after \((now - stopping.began).text): SIGKILL"
    return [
      .log(.warning, kind: .stopEscalated, text), .signalMain(Self.kill), .arm(now + Self.killPatience),
    ]
  }

  /// - Parameter refusal: why it could not be signalled; nil when it could.
  mutating func mainIsUnkillable(
    _ stopping: ServiceState.Stopping, refusal: String? = nil, at now: Instant
  ) -> [ServiceEffect] {
    var main = Stray(
      identity: ProcessIdentity(pid: stopping.pid, startTime: 0),
      command: definition.command.joined(separator: " "),
      remark: "the main process")
    main.refusal = refusal
    let swept = ServiceState.SweptStray(stray: main, found: stopping.began, signals: stopping.signals)
    let sweeping = ServiceState.Sweeping(
      began: now, aim: stopping.aim, phase: .killing(since: now, rounds: 0), strays: [swept],
      main: stopping.pid)
    return block(sweeping, at: now)
  }

  mutating func mainExited(_ reason: ExitReason, at now: Instant) -> [ServiceEffect] {
    switch state {
    case .starting(let starting):
      let pid = starting.pid
      return hintAtTakenPorts(reason) + [
        .log(
          reason.isSuccess ? .notice : .error, kind: .notReady,
          "pid \(pid) ended before it was ready: \(reason)")
      ]
        + ended(pid, reason, signals: [], since: now, aim: aimAfterExit(reason, at: now), at: now)
    case .running(let running):
      forgetFailures(before: running, at: now)
      let pid = running.pid
      let hint = hintAtTakenPorts(reason)
      let level = reason.isSuccess || isWish(reason) ? LogLevel.notice : .warning
      return hint + [
        .log(level, kind: .mainExited, "pid \(pid) ended after \((now - running.since).text): \(reason)")
      ]
        + ended(pid, reason, signals: [], since: now, aim: aimAfterExit(reason, at: now), at: now)
    case .stopping(let stopping):
      // From SIGKILL's failure on the keeper sweeps by itself, and spares nobody.
      let isSwept = stopping.killed.map { now - $0 >= Self.killPatience } ?? false
      return ended(
        stopping.pid, reason, signals: stopping.signals, since: stopping.began, aim: stopping.aim,
        pace: stopping.pace, mercy: isSwept ? .none : .byPolicy, at: now)
    case .blocked(let blocked):
      guard case .unkillable(let sweeping) = blocked.cause, let pid = sweeping.main else { return [] }
      return unkillableMainExited(pid, reason, sweeping, at: now)
    case .sweeping(let sweeping):
      guard let pid = sweeping.main else { return [] }
      lastExit = LastExit(pid: pid, reason: reason)
      return strayExited(pid, at: now)
    case .stopped, .verifying, .launching, .backingOff, .failed: return []
    }
  }

  /// SIGKILL took its time: the sweep begins anew, with what the main process left behind.
  private mutating func unkillableMainExited(
    _ pid: Int32, _ reason: ExitReason, _ sweeping: ServiceState.Sweeping, at now: Instant
  ) -> [ServiceEffect] {
    let main = sweeping.strays.first { $0.stray.identity.pid == pid }
    return ended(
      pid, reason, signals: main?.signals ?? [Self.kill], since: main?.found ?? sweeping.began,
      aim: sweeping.aim, mercy: .none, strays: sweeping.strays.filter { $0.stray.identity.pid != pid },
      at: now)
  }

  /// After a stable run a failure is the first one.
  private mutating func forgetFailures(before running: ServiceState.Running, at now: Instant) {
    guard now - running.since >= definition.backoff.stableRun(afterFailures: failures) else { return }
    failures = 0
    takenPorts = []
  }

  /// The main process is reaped; what it left behind is swept.
  private mutating func ended(
    _ pid: Int32, _ reason: ExitReason, signals: [Int32], since began: Instant, aim: ServiceState.Aim,
    pace: ServiceState.Pace = .patient, mercy: ServiceState.Sweeping.Mercy = .byPolicy,
    strays: [ServiceState.SweptStray] = [], at now: Instant
  ) -> [ServiceEffect] {
    beginEpisode(at: now)
    lastExit = LastExit(pid: pid, reason: reason)
    let took = (now - began).milliseconds
    episode?.report.stopped = .init(
      pid: pid, command: definition.command.joined(separator: " "), signals: signals.map(SignalName.of),
      outcome: reason.description, milliseconds: took)
    episode?.report.steps.stop = took
    episode?.report.pid = nil
    var sweeping = ServiceState.Sweeping(
      began: now, aim: aim, phase: .looking(rounds: 0), strays: strays)
    if definition.maySpare { sweeping.mercy = mercy }
    return sweep(sweeping, pace, at: now)
  }

  private mutating func sweep(
    _ sweeping: ServiceState.Sweeping, _ pace: ServiceState.Pace, at now: Instant
  ) -> [ServiceEffect] {
    state = .sweeping(sweeping)
    switch pace {
    case .patient: return [.scan]
    case .hurried: return hurryRequested(at: now)
    }
  }

  /// Whether the program ended in order to be started again.
  private func isWish(_ reason: ExitReason) -> Bool {
    guard case .exited(let status) = reason, definition.restart != .never else { return false }
    return status == definition.pass.relaunchStatus
  }

  private mutating func aimAfterExit(_ reason: ExitReason, at now: Instant) -> ServiceState.Aim {
    // No failure, so no backoff; but one that wishes for nothing else meets the start limit.
    if isWish(reason), !history.isExhausted(at: now, limit: definition.startLimit) {
      return .relaunch(notBefore: now, message: nil)
    }
    let message = "its main process ended: \(reason)"
    switch definition.restart {
    case .never: return .rest(reason.isSuccess ? .stopped : .failed(message))
    case .onFailure where reason.isSuccess: return .rest(.stopped)
    case .onFailure, .always: return aimAfterFailure(message, at: now)
    }
  }

  mutating func keeperLost(at now: Instant) -> [ServiceEffect] {
    let message = "its keeper was killed"
    let log = ServiceEffect.log(.error, kind: .keeperLost, message + "; its processes are swept all the same")
    let aim: ServiceState.Aim
    var pace = ServiceState.Pace.patient
    switch state {
    case .launching(let launching): aim = aimAfterLaunch(launching, message, at: now)
    case .starting: aim = aimAfterFailureOrRest(message, at: now)
    case .running(let running):
      forgetFailures(before: running, at: now)
      aim = aimAfterFailureOrRest(message, at: now)
    case .stopping(let stopping):
      aim = stopping.aim
      pace = stopping.signals.contains(Self.kill) ? .hurried : .patient
    // The sweep goes on as it was: its timer is armed.
    case .sweeping(var sweeping):
      sweeping.endMercy()
      state = .sweeping(sweeping)
      return [log]
    case .blocked(var blocked):
      if case .unkillable(var sweeping) = blocked.cause {
        sweeping.endMercy()
        blocked.cause = .unkillable(sweeping)
        state = .blocked(blocked)
      }
      return [log]
    case .stopped, .verifying, .backingOff, .failed: return []
    }
    let main = state.pid
    beginEpisode(at: now)
    episode?.report.pid = nil
    return [log] + sweep(.init(began: now, aim: aim, phase: .looking(rounds: 0), main: main), pace, at: now)
  }
}
