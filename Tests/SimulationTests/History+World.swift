// What happens in the model world: deliveries, time, processes, strangers, people.

import Supervisor
import SupervisorDaemon

extension History {
  /// One random happening.
  ///
  /// Where the one that was drawn is impossible, the next one is tried.
  mutating func step() throws(Violation) {
    let kinds = 16
    var kind = random.below(kinds)
    let service = random.below(services.count)
    for _ in 0..<kinds {
      if try happen(kind, to: service) { return }
      kind = (kind + 1) % kinds
    }
  }

  private mutating func happen(_ kind: Int, to service: Int) throws(Violation) -> Bool {
    switch kind {
    case 0, 1, 2: return try deliverNext(to: service)
    case 3: return try deliverLoose(to: service)
    case 4: return try deliverStale(to: service)
    case 5: return try nameOccupants(of: service)
    case 6, 7: return try fireTimer(of: service)
    case 8: return passTime()
    case 9: return progress(service)
    case 10: return reap(service)
    case 11: return misbehave(service)
    case 12: return changeForeigner(of: service)
    case 13: return try randomRequest(service)
    case 14: return try redefine(service)
    case 15: return try removeOrAdd(service)
    default: return false
    }
  }

  /// Whatever can happen without anybody's ill will; false when nothing can.
  mutating func benignStep() throws(Violation) -> Bool {
    for service in services.indices {
      if try deliverNext(to: service) { return true }
      if try deliverLoose(to: service) { return true }
      if try deliverStale(to: service) { return true }
      if try nameOccupants(of: service) { return true }
      if reap(service) || progress(service) { return true }
    }
    return try fireEarliestTimer()
  }

  private mutating func fireEarliestTimer() throws(Violation) -> Bool {
    var earliest: (service: Int, at: Instant)?
    for service in services.indices {
      guard let timer = services[service].timer else { continue }
      if let known = earliest, known.at <= timer { continue }
      earliest = (service, timer)
    }
    guard let earliest else { return false }
    now = max(now, earliest.at)
    return try fireTimer(of: earliest.service)
  }

  // MARK: Deliveries

  private mutating func deliverNext(to service: Int) throws(Violation) -> Bool {
    guard !services[service].channel.isEmpty else { return false }
    let event = services[service].channel.removeFirst()
    if random.oneIn(8) { services[service].stale.append(event) }
    try deliver(event, to: service)
    return true
  }

  private mutating func deliverLoose(to service: Int) throws(Violation) -> Bool {
    guard !services[service].loose.isEmpty else { return false }
    let event = services[service].loose.remove(at: random.below(services[service].loose.count))
    try deliver(event, to: service)
    return true
  }

  /// What is about a generation of the past is told once more.
  private mutating func deliverStale(to service: Int) throws(Violation) -> Bool {
    guard let event = services[service].stale.last, services[service].emptied == services[service].launched,
      graph.machines[service].generation > event.subject
    else { return false }
    services[service].stale.removeLast()
    try deliver(event, to: service)
    return true
  }

  private mutating func nameOccupants(of service: Int) throws(Violation) -> Bool {
    guard !services[service].searches.isEmpty else { return false }
    let found = services[service].searches.removeFirst()
    try deliver(.occupantsNamed(found), to: service)
    return true
  }

  // MARK: Time

  private mutating func fireTimer(of service: Int) throws(Violation) -> Bool {
    guard let timer = services[service].timer else { return false }
    guard timer <= now else { return false }
    services[service].timer = nil
    try deliver(.timerFired, to: service)
    return true
  }

  /// To the next timer, or just some time; timers may be late.
  private mutating func passTime() -> Bool {
    var next: Instant?
    for service in services {
      if let timer = service.timer, timer > now, next.map({ timer < $0 }) ?? true { next = timer }
    }
    if let next, !random.oneIn(4) {
      now = next
    } else {
      now = now + .microseconds(1 << random.below(24))
    }
    return true
  }

  // MARK: Processes

  /// A launch goes on: execve(2) succeeds or fails, the program says that it is ready, or listens.
  private mutating func progress(_ service: Int) -> Bool {
    guard let tree = services[service].tree else { return false }
    switch tree.keeper {
    case .preparing:
      if !isBenign, random.oneIn(5) {
        services[service].failToExecute()
      } else {
        let temper = SimulatedProcess.Temper.allCases[random.below(3)]
        services[service].execute(&numbers, temper: temper)
      }
      return true
    case .keeping where tree.main != nil && !tree.isListening && (isBenign || random.oneIn(2)):
      services[service].tree?.isListening = true
      services[service].loose += [
        .notified(generation: tree.generation), .bound(generation: tree.generation),
      ]
      return true
    case .keeping, .stuck, .lost, .gone: return false
    }
  }

  /// Somebody who was signalled ends.
  private mutating func reap(_ service: Int) -> Bool {
    guard let tree = services[service].tree else { return false }
    if let main = tree.main, main.canDie {
      let isReported = tree.keeper != .lost || random.oneIn(2)
      let reason = random.oneIn(2) ? ExitReason.exited(0) : .signalled(15, coreDumped: false)
      services[service].endMain(reason, &numbers, isReported: isReported)
      return true
    }
    guard let index = tree.strays.firstIndex(where: \.canDie) else { return false }
    services[service].endStray(index, &numbers)
    return true
  }

  private mutating func misbehave(_ service: Int) -> Bool {
    guard let tree = services[service].tree, tree.isAlive else { return false }
    switch random.below(8) {
    case 0, 1:
      guard tree.main != nil else { return false }
      services[service].endMain([.exited(0), .exited(1)][random.below(2)], &numbers)
    case 2, 3:
      guard tree.main != nil, tree.strays.count < 6 else { return false }
      addStray(to: service)
    case 4:
      guard !tree.strays.isEmpty else { return false }
      services[service].endStray(random.below(tree.strays.count), &numbers)
    case 5:
      let isStuck = random.oneIn(2)
      services[service].tree?.forEachLiving { $0.isStuck = isStuck }
    case 6:
      guard tree.keeper == .stuck else { return false }
      services[service].tree?.keeper = .preparing
    default: return killKeeper(of: service)
    }
    return true
  }

  private mutating func killKeeper(of service: Int) -> Bool {
    switch services[service].tree?.keeper {
    case .preparing, .stuck:
      // The child goes on to execve(2) without it, an orphan that nobody told of.
      if random.oneIn(2) { addStray(to: service) }
    case .keeping: break
    case .lost, .gone, nil: return false
    }
    services[service].loseKeeper(isToldFirst: random.oneIn(4))
    return true
  }

  // MARK: Strangers and people

  private mutating func changeForeigner(of service: Int) -> Bool {
    guard services[service].hasGuardedPort else { return false }
    if services[service].foreigner != nil {
      services[service].releasePort()
    } else if !services[service].isInTheWorld {
      let identity = numbers.take()
      services[service].foreigner = Occupant(identity: identity, description: "pid \(identity.pid)")
      numbers.release(identity)
    }
    return true
  }

  private mutating func randomRequest(_ service: Int) throws(Violation) -> Bool {
    var subjects = [service]
    if random.oneIn(4) { subjects.append(random.below(services.count)) }
    switch random.below(9) {
    case 0, 1, 2: try request(.start(subjects))
    case 3, 4: try request(.stop(subjects))
    case 5, 6: try request(.restart(subjects))
    case 7: try request(.stop(Array(services.indices)))
    default: try request(.hurry)
    }
    return true
  }
}

// Reloads of the configuration.
extension History {
  /// Its relations stay: the world knows those of the beginning.
  fileprivate mutating func redefine(_ service: Int) throws(Violation) -> Bool {
    guard random.oneIn(3) else { return false }
    let takeover: ServiceEvent.Takeover = random.oneIn(3) ? .atOnce : .withNextGeneration
    let old = graph.machines[service].wantedDefinition
    var new = RandomDefinitions.variant(of: old, takeover, &random)
    // What becomes of a stray is decided when it is found.
    if takeover == .withNextGeneration, case .random(var chances) = sparing {
      RandomDefinitions.spare(&new, &chances)
      sparing = .random(chances)
    }
    try request(.redefine(service, new, takeover))
    return true
  }

  /// One at a time, and none that others name: such a configuration is refused.
  fileprivate mutating func removeOrAdd(_ service: Int) throws(Violation) -> Bool {
    guard random.oneIn(3) else { return false }
    if removed != nil {
      try addAgain()
      return true
    }
    guard order.isLast(service) else { return false }
    removed = service
    try request(.remove(service))
    return true
  }

  /// With the same relations: in the place of the one that is gone, or as the one that did not go.
  mutating func addAgain() throws(Violation) {
    guard let service = removed.take() else { return }
    let isGone = graph.isForgotten(service)
    let old = graph.machines[service].wantedDefinition
    let new = RandomDefinitions.variant(of: old, .withNextGeneration, &random)
    let (place, actions) = graph.add(new, at: now)
    if place != service { throw violation("s\(service) was removed, and its place is \(place)") }
    if isGone {
      if services[service].isInTheWorld {
        throw violation("s\(service) is gone, and something of it is alive")
      }
      services[service] = services[service].successor(new)
    }
    try carryOut(actions)
  }
}

extension History {
  /// A daemon before this one left a generation, and its keeper holds it or ends it.
  mutating func inherit(_ service: Int) throws(Violation) {
    let world = services[service]
    let generation = 1 + random.below(5)
    let main = SimulatedProcess(identity: numbers.take(), temper: .obedient)
    world.launched = generation
    world.tree = SimulatedTree(generation: generation, keeper: .keeping, main: main)
    world.tree?.wasExecuted = true
    world.tree?.members = [main.identity]
    if random.oneIn(2) { world.addStray(&numbers, temper: .ignoresTerm) }
    var left = LeftGeneration(service: world.definition.name, generation: generation, intent: .held)
    left.pid = main.identity.pid
    if random.oneIn(2) { left.readiness = .ready }
    if random.oneIn(3) {
      left.intent = .ending
      try deliver(.leftBehind(left), to: service)
    } else {
      try deliver(.adopted(left, age: .seconds(random.below(100))), to: service)
    }
    if random.oneIn(3) { world.endMain(.exited(1), &numbers) }
  }
}

extension ServiceEvent {
  /// The generation it tells of; `Int.max` when it is about none.
  var subject: Int {
    switch self {
    case .executed(let generation, _), .launchFailed(let generation, _), .notified(let generation),
      .bound(let generation), .probed(let generation, _), .mainExited(let generation, _),
      .keeperLost(let generation), .parted(let generation, _),
      .treeEmptied(let generation), .scanned(let generation, _), .strayExited(let generation, _):
      generation
    case .adopted(let left, _), .leftBehind(let left): left.generation
    case .startRequested, .stopRequested, .restartRequested, .hurryRequested, .requirementFailed, .redefined,
      .verified, .timerFired, .occupantsNamed, .occupantExited:
      .max
    }
  }
}
