// Removing the strays of a generation, to a fixpoint: until the kernel says that its tree is empty.

import Supervisor

extension ServiceMachine {
  /// The keeper is about to exit, as a rule within a millisecond: 5, 10, 20 … 1,000 ms between two looks.
  func lookInterval(rounds: Int) -> Duration { .milliseconds(min(1000, 5 << min(rounds, 8))) }

  /// A keeper that is still there after that time has somebody below it whom no look shows: it has to kill him.
  static let invisibleAfter: Duration = .seconds(1)
  /// A message for people names so many.
  private static let namedStrays = 8

  mutating func scanned(_ strays: [Stray], at now: Instant) -> [ServiceEffect] {
    switch state {
    case .sweeping(var sweeping):
      if case .looking(let rounds) = sweeping.phase, definition.strays != .report,
        sweeping.isUnclear(strays, at: now)
      {
        sweeping.phase = .looking(rounds: rounds + 1)
        state = .sweeping(sweeping)
        return [.arm(now + lookInterval(rounds: rounds))]
      }
      let seen = sweeping.observe(strays, at: now, definition)
      let doomed = sweeping.doomed(among: strays)
      if case .killing(let since, _) = sweeping.phase, !doomed.isEmpty,
        doomed.areBeyondUs || now - since >= Self.unkillableAfter
      {
        sweeping.mark(signals: [Self.kill], for: doomed)
        return block(sweeping, at: now)
      }
      if sweeping.doomed.isEmpty, !sweeping.living.isEmpty { return spare(sweeping, at: now) }
      let new = sweeping.doomed(among: seen)
      let asked = sweeping.takePorts
      defer { state = .sweeping(sweeping) }
      switch sweeping.phase {
      case .looking(let rounds) where sweeping.living.isEmpty:
        sweeping.phase = .looking(rounds: rounds + 1)
        return [.arm(now + lookInterval(rounds: rounds))]
      case .looking:
        sweeping.phase = .terminating
        sweeping.mark(signals: [15], for: new)
        return asked + [.terminateStrays(new), .arm(now + definition.strayTimeout)]
      case .terminating:
        guard !new.isEmpty else { return asked }
        sweeping.mark(signals: [15], for: new)
        return asked + [.terminateStrays(new)]
      case .killing(let since, let rounds):
        sweeping.mark(signals: [Self.kill], for: doomed)
        // Who breeds gets no time to.
        let round = new.isEmpty ? rounds : 0
        sweeping.phase = .killing(since: since, rounds: round + 1)
        return asked + [.arm(now + lookInterval(rounds: round))]
      }
    case .blocked(var blocked):
      guard case .unkillable(var sweeping) = blocked.cause else { return [] }
      let new = sweeping.observe(strays, at: now, definition)
      if sweeping.doomed.isEmpty, !sweeping.living.isEmpty { return spare(sweeping, at: now) }
      sweeping.mark(signals: [Self.kill], for: sweeping.doomed(among: strays))
      blocked.cause = .unkillable(sweeping)
      state = .blocked(blocked)
      return sweeping.takePorts + restate(sweeping) + [
        .arm(now + (new.isEmpty ? Self.blockedRetry : lookInterval(rounds: 0)))
      ]
    case .stopping(let stopping):
      guard stopping.killed != nil else { return [] }
      guard strays.areBeyondUs else { return [.arm(now + Self.killPatience)] }
      return mainIsUnkillable(stopping, refusal: strays.first?.refusal, at: now)
    case .stopped, .verifying, .launching, .starting, .running, .backingOff, .failed: return []
    }
  }

  mutating func strayExited(_ pid: Int32, at now: Instant) -> [ServiceEffect] {
    switch state {
    case .sweeping(var sweeping):
      sweeping.markGone(pid: pid, at: now)
      state = .sweeping(sweeping)
      guard sweeping.doomed.isEmpty else { return [] }
      switch sweeping.phase {
      case .looking, .terminating: return [.scan]
      case .killing: return [sweeping.kill]
      }
    case .blocked(var blocked):
      guard case .unkillable(var sweeping) = blocked.cause else { return [] }
      sweeping.markGone(pid: pid, at: now)
      blocked.cause = .unkillable(sweeping)
      state = .blocked(blocked)
      return []
    case .stopped, .verifying, .launching, .starting, .running, .stopping, .backingOff, .failed: return []
    }
  }

  mutating func sweepTimerFired(_ sweeping: ServiceState.Sweeping, at now: Instant) -> [ServiceEffect] {
    switch sweeping.phase {
    case .looking where now - sweeping.began < Self.invisibleAfter: return [.scan]
    case .looking, .terminating:
      var next = sweeping
      next.phase = .killing(since: now, rounds: 0)
      // Whom no look shows can't be spared.
      if next.living.isEmpty { next.endMercy() }
      state = .sweeping(next)
      return [next.kill]
    case .killing(let since, _):
      return now - since < Self.unkillableAfter ? [sweeping.kill] : block(sweeping, at: now)
    }
  }

  /// SIGKILL does not help: say who, and go on trying at leisure.
  ///
  /// Never launch beside them.
  mutating func block(_ sweeping: ServiceState.Sweeping, at now: Instant) -> [ServiceEffect] {
    let message = unkillable(sweeping)
    state = .blocked(.init(cause: .unkillable(sweeping), message: message))
    return [
      .log(.error, kind: .unkillable, "blocked: \(message)"), .arm(now + Self.blockedRetry),
      .settle(.blocked(message)),
    ]
  }

  /// The message again, when it is others by now.
  private mutating func restate(_ sweeping: ServiceState.Sweeping) -> [ServiceEffect] {
    guard case .blocked(var blocked) = state else { return [] }
    let message = unkillable(sweeping)
    if message == blocked.message { return [] }
    blocked.message = message
    state = .blocked(blocked)
    return [.log(.error, kind: .unkillable, "blocked: \(message)")]
  }

  private func unkillable(_ sweeping: ServiceState.Sweeping) -> String {
    let names = sweeping.doomed.prefix(Self.namedStrays).map {
      "pid \($0.stray.identity.pid) \"\($0.stray.command)\""
    }
    let who = names.isEmpty ? "a process of generation \(generation)" : names.joined(separator: ", ")
    let refusal = sweeping.doomed.lazy.compactMap(\.stray.refusal).first
    let how =
      refusal.map { "can't be killed: \($0)" } ?? "does not die of SIGKILL (uninterruptible sleep?)"
    return "\(who) \(how); nothing is launched beside it"
  }

  mutating func treeEmptied(at now: Instant) -> [ServiceEffect] {
    switch state {
    case .sweeping(let sweeping): return swept(sweeping, at: now)
    case .blocked(let blocked):
      guard case .unkillable(let sweeping) = blocked.cause else { return [] }
      return swept(sweeping, at: now)
    case .stopped, .verifying, .launching, .starting, .running, .stopping, .backingOff, .failed: return []
    }
  }

  private mutating func swept(_ sweeping: ServiceState.Sweeping, at now: Instant) -> [ServiceEffect] {
    [.disarm] + conclude(sweeping, at: now) + pursue(sweeping.aim, at: now)
  }

  /// The generation is over: what was found and done, for the report and for the log.
  mutating func conclude(_ sweeping: ServiceState.Sweeping, at now: Instant) -> [ServiceEffect] {
    let records = sweeping.strays.map { $0.record(at: now) }
    // Those of one generation: a row of failing launches is one relaunch, whose report must not grow with it.
    if !records.isEmpty { episode?.report.strays = records }
    episode?.report.steps.sweep = (now - sweeping.began).milliseconds
    let lines = records.map(\.line)
    let more =
      sweeping.untold > 0
      ? [ServiceEffect.log(.notice, kind: .straySwept, "and \(sweeping.untold) more strays")] : []
    return lines + more
  }
}

extension ServiceState.Sweeping {
  /// Those that are not known to be gone.
  var living: [ServiceState.SweptStray] { strays.filter { $0.gone == nil } }

  /// Takes over what a scan saw: who is new, who lives after all, who went unnoticed.
  ///
  /// - Returns: those that are new.
  mutating func observe(_ found: [Stray], at now: Instant, _ definition: ServiceDefinition) -> [Stray] {
    let living = Set(found.map(\.identity))
    let known = Set(strays.map(\.stray.identity))
    for index in strays.indices {
      let isAlive = living.contains(strays[index].stray.identity)
      strays[index].gone = isAlive ? nil : strays[index].gone ?? now
    }
    note(refusals: found)
    let new = found.filter { !known.contains($0.identity) }
    for stray in new {
      strays.append(.init(stray: stray, found: now, signals: [], fate: fate(of: stray, by: definition)))
    }
    forgetExcess()
    return new
  }

  private mutating func note(refusals found: [Stray]) {
    for stray in found where stray.refusal != nil {
      for index in strays.indices where strays[index].stray.identity == stray.identity {
        strays[index].stray.refusal = stray.refusal
      }
    }
  }

  /// Of a breeder's thousands, who come and go, the first ones are told.
  private mutating func forgetExcess() {
    guard strays.count > Self.toldStrays else { return }
    var told = 0
    let before = strays.count
    strays.removeAll { stray in
      told += 1
      return told > Self.toldStrays && stray.gone != nil
    }
    untold += before - strays.count
  }

  static let toldStrays = 256

  mutating func mark(signals: [Int32], for marked: [Stray]) {
    let identities = Set(marked.map(\.identity))
    for index in strays.indices where identities.contains(strays[index].stray.identity) {
      strays[index].signals += signals.filter { !strays[index].signals.contains($0) }
    }
  }

  mutating func markGone(pid: Int32, at now: Instant) {
    for index in strays.indices where strays[index].stray.identity.pid == pid && strays[index].gone == nil {
      strays[index].gone = now
    }
  }
}

extension [Stray] {
  /// Nobody is left whom we may signal.
  fileprivate var areBeyondUs: Bool { !isEmpty && allSatisfy { $0.refusal != nil } }
}

extension ServiceState.SweptStray {
  func record(at now: Instant) -> RelaunchReport.StrayRecord {
    var record = RelaunchReport.StrayRecord(
      pid: stray.identity.pid, command: stray.command, held: stray.held, remark: stray.remark,
      signals: signals.map(SignalName.of))
    switch fate {
    case .released(let taken) where gone == nil: (record.fate, record.taken) = (.released, taken ?? [])
    case .reported where gone == nil: record.fate = .reported
    case .ended, .released, .reported: record.milliseconds = ((gone ?? now) - found).milliseconds
    }
    return record
  }
}

extension RelaunchReport.StrayRecord {
  /// For the log.
  fileprivate var line: ServiceEffect {
    let facts = [held.isEmpty ? "" : "held " + held.joined(separator: ", "), remark]
    let who = "stray \(pid) \"\(command)\" "
    switch fate {
    case .released:
      let taken = (taken ?? []).map { "\($0) was taken from it" }
      return .log(.notice, kind: .strayReleased, who + Self.joined(facts + taken + ["it lives on"]))
    case .reported:
      return .log(
        .warning, kind: .strayReleased,
        who + Self.joined(facts + ["it lives on, as strays = \"report\" has it"]))
    case nil:
      let end = ", gone after \(Int((milliseconds ?? 0).rounded())) ms"
      return .log(
        .notice, kind: .straySwept, who + Self.joined(facts + [signals.joined(separator: ", ")]) + end)
    }
  }

  private static func joined(_ parts: [String]) -> String {
    parts.filter { !$0.isEmpty }.joined(separator: "; ")
  }
}
