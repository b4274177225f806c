// Order between services: who starts after whom, who needs whom, and the reverse at stop. Pure, like the machines.

import Supervisor

/// All services with their machines, and the requests that wait for other services.
package struct ServiceGraph: Sendable {
  /// In the order of the configuration at the start; the index is how the daemon names a service.
  package internal(set) var machines: [ServiceMachine]

  /// For each service: those it starts after (`after` and `requires`).
  private(set) var predecessors: [[Int]] = []
  private(set) var required: [[Int]] = []
  /// The reverse of `predecessors`.
  private(set) var successors: [[Int]] = []
  var pendingStarts: Set<Int> = []
  var pendingStops: Set<Int> = []
  /// Those with a new definition, until those they start after are settled.
  var pendingRelaunches: Set<Int> = []
  /// Those that the configuration no longer has: they are being stopped, or are gone.
  var retired: Set<Int> = []
  var seeds: SplitMix64

  /// One effect of one service.
  package struct Action: Hashable, Sendable {
    package var service: Int
    package var effect: ServiceEffect
  }

  /// The definitions were checked: names are unique and defined, and there is no cycle.
  package init(definitions: [ServiceDefinition], seed: UInt64) {
    var seeds = SplitMix64(seed: seed)
    machines = definitions.map { ServiceMachine(definition: $0, seed: seeds.next()) }
    self.seeds = seeds
    relate()
  }

  /// Reads from the definitions who depends on whom; one that is gone depends on nobody.
  mutating func relate() {
    let present = machines.indices.filter { !isForgotten($0) }
    let index = Dictionary(uniqueKeysWithValues: present.map { (machines[$0].definition.name, $0) })
    required = [[Int]](repeating: [], count: machines.count)
    predecessors = required
    successors = required
    for service in present {
      let definition = machines[service].wantedDefinition
      required[service] = definition.requires.compactMap { index[$0] }
      let before = (definition.after + definition.requires).compactMap { index[$0] }
      predecessors[service] = Set(before).sorted()
      for other in predecessors[service] { successors[other].append(service) }
    }
  }

  /// Passes a fact to one machine, and on to whoever waited for it.
  package mutating func handle(_ event: ServiceEvent, for service: Int, at now: Instant) -> [Action] {
    tell(service, event, at: now) + advance(at: now)
  }

  /// Starts services, and first those they require.
  package mutating func start(_ services: [Int], at now: Instant) -> [Action] {
    for service in services { addStart(service) }
    return advance(at: now)
  }

  /// Stops services; those that require them go first.
  package mutating func stop(_ services: [Int], at now: Instant) -> [Action] {
    let closure = withRequirers(of: services)
    pendingStarts.subtract(closure)
    pendingRelaunches.subtract(closure)
    pendingStops.formUnion(closure)
    return advance(at: now)
  }

  /// The services, and those that a stop of them takes along.
  package func withRequirers(of services: [Int]) -> Set<Int> {
    var closure = Set(services)
    var work = services
    while let service = work.popLast() {
      for other in successors[service] where required[other].contains(service) {
        if machines[other].isAtRest && !pendingStarts.contains(other) { continue }
        if closure.insert(other).inserted { work.append(other) }
      }
    }
    return closure
  }

  package mutating func restart(_ services: [Int], at now: Instant) -> [Action] {
    var actions: [Action] = []
    for service in services where !retired.contains(service) {
      pendingStops.remove(service)
      pendingRelaunches.remove(service)
      if machines[service].isAtRest {
        addStart(service)
      } else {
        addRequired(of: service)
        actions += tell(service, .restartRequested, at: now)
      }
    }
    return actions + advance(at: now)
  }

  /// No more order and no more patience: everybody is killed now.
  package mutating func hurry(at now: Instant) -> [Action] {
    let waiting = pendingStops.sorted()
    pendingStops = []
    pendingRelaunches = []
    let stops = waiting.flatMap { tell($0, .stopRequested, at: now) }
    let hurries = machines.indices.flatMap { tell($0, .hurryRequested, at: now) }
    return stops + hurries + advance(at: now)
  }

  /// Whether nothing runs and nothing is on its way; what can't be killed does not count.
  package var isAtRest: Bool {
    pendingStarts.isEmpty && pendingStops.isEmpty && machines.allSatisfy { $0.isAtRest || $0.isUnkillable }
  }

  /// For people: a service that waits for others is starting.
  package func publicState(of service: Int) -> (PublicState, message: String?) {
    let machine = machines[service]
    guard pendingStarts.contains(service), machine.isAtRest else {
      return (machine.state.publicState, machine.state.message)
    }
    let names = obstacles(of: service).map { machines[$0].definition.name }
    return (.starting, names.isEmpty ? nil : "waits for \(names.joined(separator: ", "))")
  }

  /// The services for which the start of one waits.
  package func obstacles(of service: Int) -> [Int] {
    guard pendingStarts.contains(service) else { return [] }
    return predecessors[service].filter { readiness(of: $0, for: service) == .undecided }
  }

  mutating func tell(_ service: Int, _ event: ServiceEvent, at now: Instant) -> [Action] {
    machines[service].handle(event, at: now).map { Action(service: service, effect: $0) }
  }

  private mutating func addStart(_ service: Int) {
    if retired.contains(service) { return }
    pendingStops.remove(service)
    guard pendingStarts.insert(service).inserted else { return }
    addRequired(of: service)
  }

  private mutating func addRequired(of service: Int) {
    for other in required[service] where !machines[other].isUp || pendingStops.contains(other) {
      addStart(other)
    }
  }

  /// Sends the starts and stops whose time has come.
  mutating func advance(at now: Instant) -> [Action] {
    var actions: [Action] = []
    // As a rule nobody waits, and this is called after every fact.
    var moved = !(pendingStarts.isEmpty && pendingStops.isEmpty && pendingRelaunches.isEmpty)
    while moved {
      moved = false
      for service in pendingStarts.sorted() {
        switch verdict(for: service) {
        case .undecided: continue
        case .ready:
          pendingStarts.remove(service)
          actions += tell(service, .startRequested, at: now)
        case .failed(let other):
          pendingStarts.remove(service)
          actions += tell(service, .requirementFailed(machines[other].definition.name), at: now)
        }
        moved = true
      }
      for service in pendingStops.sorted() where mayStop(service) {
        pendingStops.remove(service)
        actions += tell(service, .stopRequested, at: now)
        moved = true
      }
      for service in pendingRelaunches.sorted() where !awaitsOthers(service) {
        pendingRelaunches.remove(service)
        actions += relaunch(service, at: now)
        moved = true
      }
    }
    return actions
  }

  private enum Verdict: Hashable { case ready, undecided, failed(Int) }

  private func verdict(for service: Int) -> Verdict {
    var result = Verdict.ready
    for other in predecessors[service] {
      switch readiness(of: other, for: service) {
      case .ready: break
      case .failed: return .failed(other)
      case .undecided: result = .undecided
      }
    }
    return result
  }

  /// Whether one service is no longer a reason for another to wait.
  private func readiness(of other: Int, for service: Int) -> Verdict {
    if pendingStarts.contains(other) || pendingRelaunches.contains(other) { return .undecided }
    let machine = machines[other]
    let isRequired = required[service].contains(other)
    switch machine.state {
    case .running: return .ready
    case .verifying, .launching, .starting, .stopping, .sweeping: return .undecided
    case .backingOff, .blocked: return isRequired ? .undecided : .ready
    case .failed: return isRequired ? .failed(other) : .ready
    // A command that did its work and ended well has fulfilled what is required of it.
    case .stopped: return isRequired && machine.lastExit?.status != 0 ? .failed(other) : .ready
    }
  }

  /// One that runs goes on for those that depend on it; one that does not must not be launched again for them.
  private func mayStop(_ service: Int) -> Bool {
    !machines[service].hasMain || successors[service].allSatisfy { isGone($0) }
  }

  /// Whether a service no longer stands in the way of stopping what it depends on.
  private func isGone(_ service: Int) -> Bool {
    if machines[service].isAtRest || machines[service].isUnkillable { return !pendingStops.contains(service) }
    // It goes on running, and nobody asked it to stop: no reason to wait for it.
    return !pendingStops.contains(service) && !machines[service].isGoing
  }
}
