// Strays that live on: `strays = "release"` and `"report"`, and the names of `stray_allow`.

import Supervisor

extension ServiceDefinition {
  /// Whether any stray may live on.
  package var maySpare: Bool { strays != .kill || !strayAllow.isEmpty }
}

extension ServiceState.Sweeping {
  /// Those who live and have to go.
  var doomed: [ServiceState.SweptStray] { living.filter { $0.fate == .ended } }

  /// Of what a scan found, those who have to go.
  func doomed(among found: [Stray]) -> [Stray] {
    if mercy == .none { return found }
    let ended = Set(strays.filter { $0.fate == .ended }.map(\.stray.identity))
    return found.filter { ended.contains($0.identity) }
  }

  /// SIGKILL for those who have to go.
  var kill: ServiceEffect {
    switch mercy {
    case .none: .killStrays
    case .byPolicy: .killStraysBut(living.filter { $0.fate != .ended }.map(\.stray.identity))
    }
  }

  /// Asks for the ports of those who may live on, and have not been asked for them.
  var takePorts: [ServiceEffect] {
    let asked = living.filter { $0.fate == .released(taken: nil) }.map(\.stray)
    return asked.isEmpty ? [] : [.takePorts(asked)]
  }

  /// From here on nobody is spared.
  mutating func endMercy() {
    mercy = .none
    for index in strays.indices { strays[index].fate = .ended }
  }

  /// What becomes of one who is new.
  ///
  /// Who is below one that lives on by its name lives on, too: what runs in a terminal multiplexer is why it is spared.
  /// Nobody lives on who accepts connections at an owned listener: the next generation would share them with it.
  func fate(of stray: Stray, by definition: ServiceDefinition) -> ServiceState.SweptStray.Fate {
    guard mercy == .byPolicy else { return .ended }
    switch definition.strays {
    case .report: return .reported
    case .release: return stray.use == .accepts ? .ended : .released(taken: nil)
    case .kill:
      let isBelowOne = strays.contains {
        $0.stray.identity.pid == stray.parent && $0.gone == nil && $0.fate != .ended
      }
      return (stray.isAllowed || isBelowOne) && stray.use != .accepts ? .released(taken: nil) : .ended
    }
  }

  /// Whether somebody new may accept connections, and another look is to tell.
  ///
  /// Who is still busy after that time computes.
  func isUnclear(_ found: [Stray], at now: Instant) -> Bool {
    guard mercy == .byPolicy, now - began < Self.clearAfter else { return false }
    let known = Set(strays.map(\.stray.identity))
    return found.contains { $0.use == .unclear && !known.contains($0.identity) }
  }

  static let clearAfter: Duration = .milliseconds(100)

  /// Takes note of what came of taking the ports.
  ///
  /// - Returns: those who keep one, and have to go for that.
  mutating func note(_ partings: [Parting]) -> [Stray] {
    var refused: [Stray] = []
    for parting in partings {
      for index in strays.indices
      where strays[index].stray.identity == parting.identity && strays[index].fate != .ended {
        switch parting.outcome {
        case .parted(let taken): strays[index].fate = .released(taken: taken)
        case .inseparable(let reason):
          strays[index].fate = .ended
          strays[index].stray.remark += (strays[index].stray.remark.isEmpty ? "" : ", ") + reason
          if strays[index].gone == nil { refused.append(strays[index].stray) }
        }
      }
    }
    return refused
  }
}

extension ServiceMachine {
  /// Nobody is left but those who may live on: without their ports, they may.
  mutating func spare(_ sweeping: ServiceState.Sweeping, at now: Instant) -> [ServiceEffect] {
    let asked = sweeping.takePorts
    if asked.isEmpty { return retain(sweeping, at: now) }
    state = .sweeping(sweeping)
    return asked
  }

  mutating func parted(_ partings: [Parting], at now: Instant) -> [ServiceEffect] {
    switch state {
    case .sweeping(var sweeping):
      let refused = sweeping.note(partings)
      if !refused.isEmpty { return end(refused, &sweeping, at: now) }
      let isDone = sweeping.doomed.isEmpty && !sweeping.living.isEmpty && sweeping.takePorts.isEmpty
      if isDone { return retain(sweeping, at: now) }
      state = .sweeping(sweeping)
      return []
    case .blocked(var blocked):
      guard case .unkillable(var sweeping) = blocked.cause else { return [] }
      _ = sweeping.note(partings)
      blocked.cause = .unkillable(sweeping)
      state = .blocked(blocked)
      return []
    case .stopped, .verifying, .launching, .starting, .running, .stopping, .backingOff, .failed: return []
    }
  }

  /// They can't be parted from a port: the port comes first.
  private mutating func end(
    _ refused: [Stray], _ sweeping: inout ServiceState.Sweeping, at now: Instant
  ) -> [ServiceEffect] {
    defer { state = .sweeping(sweeping) }
    switch sweeping.phase {
    case .looking:
      sweeping.phase = .terminating
      sweeping.mark(signals: [15], for: refused)
      return [.terminateStrays(refused), .arm(now + definition.strayTimeout)]
    case .terminating:
      sweeping.mark(signals: [15], for: refused)
      return [.terminateStrays(refused), .arm(now + definition.strayTimeout)]
    case .killing: return [.arm(now + lookInterval(rounds: 0))]
    }
  }

  /// The generation is over, and somebody of it lives on.
  private mutating func retain(_ sweeping: ServiceState.Sweeping, at now: Instant) -> [ServiceEffect] {
    let records = sweeping.living.map { $0.record(at: now) }
    for address in records.flatMap({ $0.taken ?? [] }) where !takenPorts.contains(address) {
      takenPorts.append(address)
    }
    return [.disarm] + conclude(sweeping, at: now) + [.retain(generation: generation, records)]
      + pursue(sweeping.aim, at: now)
  }

  /// A program that fails after that may not have set SO_REUSEADDR, without which its bind(2) fails (socket(7)).
  func hintAtTakenPorts(_ reason: ExitReason) -> [ServiceEffect] {
    guard !takenPorts.isEmpty, !reason.isSuccess else { return [] }
    return [
      .log(
        .notice,
        "\(takenPorts.joined(separator: ", ")) was taken from a stray that lives on: a program that does not set "
          + "SO_REUSEADDR before bind(2) hears \"Address already in use\" until that stray has ended")
    ]
  }
}
