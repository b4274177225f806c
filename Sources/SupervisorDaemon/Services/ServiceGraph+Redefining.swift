// A new configuration: services come, change and go while the others run on.

import Supervisor

extension ServiceGraph {
  /// The services that there are: those of the configuration, and those that it has no more and that are not gone yet.
  package var present: [Int] { machines.indices.filter { !isForgotten($0) } }

  /// Whether a service was removed and is at rest: nobody is to see it any more, and its place is free.
  package func isForgotten(_ service: Int) -> Bool {
    retired.contains(service) && machines[service].isAtRest && !pendingStops.contains(service)
  }

  package func isRetired(_ service: Int) -> Bool { retired.contains(service) }

  /// Adds a service, which is not started by that; its place may be that of one that is gone.
  ///
  /// One that was removed before, and whose processes do not die, comes back with its new definition.
  package mutating func add(_ definition: ServiceDefinition, at now: Instant) -> (Int, [Action]) {
    defer { relate() }
    if let known = present.first(where: { machines[$0].definition.name == definition.name }) {
      retired.remove(known)
      return (known, tell(known, .redefined(definition, .withNextGeneration), at: now))
    }
    let machine = ServiceMachine(definition: definition, seed: seeds.next())
    guard let place = machines.indices.first(where: isForgotten) else {
      machines.append(machine)
      return (machines.count - 1, [])
    }
    retired.remove(place)
    machines[place] = machine
    return (place, [])
  }

  /// Gives a service a new definition; what runs goes on running.
  package mutating func redefine(
    _ service: Int, _ definition: ServiceDefinition, _ takeover: ServiceEvent.Takeover, at now: Instant
  ) -> [Action] {
    defer { relate() }
    return tell(service, .redefined(definition, takeover), at: now)
  }

  /// Stops services that the configuration no longer has; once at rest they are forgotten.
  package mutating func retire(_ services: [Int], at now: Instant) -> [Action] {
    retired.formUnion(services)
    return stop(services, at: now)
  }

  /// Relaunches those whose new definition waits for that, and tries those again that could not run with the old one.
  ///
  /// One after the other where they start after each other; whoever rests because somebody wanted that goes on resting.
  package mutating func relaunch(_ services: [Int], at now: Instant) -> [Action] {
    pendingRelaunches.formUnion(services.filter { !retired.contains($0) && !pendingStops.contains($0) })
    return advance(at: now)
  }

  /// All that start after one of these services, directly or not.
  package func followers(of services: [Int]) -> Set<Int> {
    var found: Set<Int> = []
    var work = services
    while let service = work.popLast() {
      work += successors[service].filter { found.insert($0).inserted }
    }
    return found
  }

  mutating func relaunch(_ service: Int, at now: Instant) -> [Action] {
    guard machines[service].isWorthRelaunching, !pendingStarts.contains(service) else { return [] }
    guard case .failed = machines[service].state else { return tell(service, .restartRequested, at: now) }
    // Nobody asked for those that it requires: one that was stopped stays so, and this one failed.
    if required[service].contains(where: { isStoppedOrGoing($0) }) { return [] }
    pendingStarts.insert(service)
    return []
  }

  /// Whether somebody wants it to run: it does not rest, nor is it about to.
  package func isWanted(_ service: Int) -> Bool {
    if pendingStarts.contains(service) { return true }
    if pendingStops.contains(service) || machines[service].isGoing { return false }
    if case .stopped = machines[service].state { return false }
    return true
  }

  /// Those that it starts after are on their way to somewhere, with processes that it should not meet half-way.
  func awaitsOthers(_ service: Int) -> Bool {
    predecessors[service].contains { pendingRelaunches.contains($0) || isSettling($0) }
  }

  /// Whether a service is on its way, and comes to run or to rest, or to a wait without end, within the times of its
  /// definition.
  package func isSettling(_ service: Int) -> Bool {
    if pendingStops.contains(service) || pendingRelaunches.contains(service) { return true }
    switch machines[service].state {
    case .verifying, .launching, .starting, .stopping, .sweeping: return true
    case .running: return false
    case .blocked(let blocked):
      guard case .occupied = blocked.cause else { return false }
      return blocked.naming == .underWay
    case .stopped, .failed, .backingOff:
      return pendingStarts.contains(service) && predecessors[service].contains { isSettling($0) }
    }
  }

  private func isStoppedOrGoing(_ service: Int) -> Bool {
    if pendingStops.contains(service) || machines[service].isGoing { return true }
    if case .stopped = machines[service].state { return !pendingStarts.contains(service) }
    return false
  }
}

extension ServiceMachine {
  /// Whether a new definition is a reason to launch: not for what rests, or is about to, because somebody wanted that.
  var isWorthRelaunching: Bool {
    let isAwaited = nextDefinition != nil
    return switch state {
    case .stopped: false
    case .failed, .backingOff: true
    case .blocked(let blocked):
      switch blocked.cause {
      case .occupied: true
      case .unkillable(let sweeping): isAwaited && sweeping.aim != .rest(.stopped)
      }
    case .verifying(let verifying): isAwaited && verifying.purpose != .rest(.stopped)
    case .launching(let launching): isAwaited && launching.intent != .stop
    case .starting, .running: isAwaited
    case .stopping(let stopping): isAwaited && stopping.aim != .rest(.stopped)
    case .sweeping(let sweeping): isAwaited && sweeping.aim != .rest(.stopped)
    }
  }
}
