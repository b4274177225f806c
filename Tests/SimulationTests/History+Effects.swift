// The effects, carried out in the model world as the daemon would, each with its check.

import Supervisor
import SupervisorDaemon

extension History {
  mutating func perform(_ actions: [ServiceGraph.Action], cause: Cause) throws(Violation) {
    if actions.count > 60 + 10 * services.count { throw violation("one fact has \(actions.count) effects") }
    for action in actions { try perform(action.effect, for: action.service, cause: cause) }
  }

  private mutating func perform(_ effect: ServiceEffect, for service: Int, cause: Cause) throws(Violation) {
    switch effect {
    case .verify:
      services[service].verified = graph.machines[service].definition
      answers.append((service, .verified(verification(of: service))))
    case .launch(let generation): try launch(generation, of: service, cause: cause)
    case .signalMain(let signal): try signalMain(signal, of: service)
    case .scan: scan(service)
    case .terminateStrays(let strays): try terminate(strays, of: service)
    case .watchStrays(let strays): watch(strays, of: service)
    case .killStrays: try killStrays(of: service)
    case .killStraysBut(let spared): try killStrays(of: service, sparing: Set(spared))
    case .takePorts(let strays): takePorts(from: strays, of: service)
    case .retain(let generation, _): try retain(generation, of: service)
    case .probePorts: probePorts(of: service)
    case .arm(let instant): if mutation != .forgetTimer { services[service].timer = instant }
    case .disarm: services[service].timer = nil
    case .nameOccupants: services[service].searches.append(services[service].foreigner.map { [$0] } ?? [])
    case .watchOccupants(let occupants): watch(occupants, for: service)
    case .forgetOccupants: forgetOccupants(of: service)
    case .redefine: try takeOver(service)
    case .settle: if mutation != .tellNobody { services[service].isUnsettled = false }
    case .log: break
    }
  }

  private mutating func takeOver(_ service: Int) throws(Violation) {
    let definition = graph.machines[service].definition
    if definition.command != services[service].definition.command { try checkTakeover(of: service) }
    services[service].definition = definition
  }

  /// Of every generation that is not gone; a port that somebody else has.
  private func verification(of service: Int) -> Verification {
    if mutation == .skipVerification { return Verification(.clear) }
    if services[service].isInTheWorld { return Verification(.occupied("a descendant holds the port")) }
    guard let foreigner = services[service].foreigner else { return Verification(.clear) }
    return Verification(.occupied(foreigner.identity.pid % 2 == 0 ? "port is taken" : "port is taken too"))
  }

  private mutating func launch(_ generation: Int, of service: Int, cause: Cause) throws(Violation) {
    try checkLaunch(generation, of: service, cause: cause)
    services[service].launched = generation
    if !isBenign, random.oneIn(8) {
      services[service].emptied = generation
      let failure = LaunchFailure(message: "cannot start a keeper", keeper: .none)
      answers.append((service, .launchFailed(generation: generation, failure)))
    } else {
      let keeper: SimulatedTree.Keeper = !isBenign && random.oneIn(12) ? .stuck : .preparing
      services[service].tree = SimulatedTree(generation: generation, keeper: keeper)
    }
  }

  private mutating func signalMain(_ signal: Int32, of service: Int) throws(Violation) {
    guard let tree = services[service].tree, tree.wasExecuted, tree.generation == generation(of: service)
    else {
      throw violation("s\(service): signal \(signal) to a main process that never was")
    }
    guard let main = tree.main else { return }
    if signal == 9 || main.temper == .obedient { services[service].tree?.main?.isDoomed = true }
    if signal != 9, !isBenign, main.temper == .breeding { addStray(to: service) }
  }

  private mutating func scan(_ service: Int) {
    breed(service)
    answers.append(
      (service, .scanned(generation: generation(of: service), services[service].tree?.living ?? [])))
  }

  private mutating func terminate(_ strays: [Stray], of service: Int) throws(Violation) {
    let members = services[service].tree?.members ?? []
    for stray in strays where !members.contains(stray.identity) {
      throw violation("s\(service): SIGTERM to \(stray.identity), who is a stranger")
    }
    services[service].tree?.forEachLiving { process in
      guard strays.contains(where: { $0.identity == process.identity }) else { return }
      process.isWatched = true
      if process.temper != .ignoresTerm { process.isDoomed = true }
    }
  }

  private func watch(_ strays: [Stray], of service: Int) {
    services[service].tree?.forEachLiving { process in
      if strays.contains(where: { $0.identity == process.identity }) { process.isWatched = true }
    }
    // One who is gone already can't be watched: that shows at the next look.
  }

  private mutating func killStrays(
    of service: Int, sparing spared: Set<ProcessIdentity> = []
  ) throws(Violation) {
    guard let tree = services[service].tree, tree.generation == generation(of: service) else {
      throw violation("s\(service): SIGKILL to a generation that is gone")
    }
    if mutation != .killNobody {
      // A child that did not come as far as execve(2) is there for the kernel, and killed like any other.
      if tree.keeper == .preparing { services[service].execute(&numbers, temper: .obedient) }
      services[service].tree?.forEachLiving {
        if spared.contains($0.identity) { return }
        $0.isWatched = true
        $0.isDoomed = true
      }
    }
    answers.append(
      (service, .scanned(generation: generation(of: service), services[service].tree?.living ?? [])))
    breed(service)
  }

  private mutating func probePorts(of service: Int) {
    let isListening = services[service].tree?.isListening ?? false
    answers.append(
      (service, .probed(generation: generation(of: service), isListening || isBenign ? .all : .notYet)))
  }

  private mutating func watch(_ occupants: [Occupant], for service: Int) {
    services[service].watched = occupants
    // One who is gone already can't be watched: that is told too.
    if occupants.contains(where: { $0 != services[service].foreigner }) {
      services[service].loose.append(.occupantExited)
    }
  }

  private mutating func forgetOccupants(of service: Int) {
    services[service].watched = []
    if random.oneIn(2) { services[service].searches = [] }
  }

  private func generation(of service: Int) -> Int { graph.machines[service].generation }

  /// Those who fork do it between any two looks.
  private mutating func breed(_ service: Int) {
    guard !isBenign, let tree = services[service].tree, tree.strays.count < 6 else { return }
    guard let parent = tree.strays.first(where: { $0.temper == .breeding }), random.oneIn(2) else { return }
    guard case .random = sparing else { return addStray(to: service) }
    // A child has what its parent has.
    let temper = SimulatedProcess.Temper.allCases[random.below(3)]
    services[service].addStray(
      &numbers, temper: temper, holding: parent.holding, isAllowed: parent.isAllowed)
  }

  mutating func addStray(to service: Int) {
    let temper = SimulatedProcess.Temper.allCases[random.below(3)]
    guard case .random(var chances) = sparing else {
      return services[service].addStray(&numbers, temper: temper)
    }
    let hasPort = services[service].hasGuardedPort
    let kinds: [SimulatedProcess.Holding] =
      hasPort ? [.nothing, .accepts, .guardedPort, .inseparablePort] : [.nothing, .nothing, .accepts]
    let holding = kinds[chances.below(kinds.count)]
    services[service].addStray(&numbers, temper: temper, holding: holding, isAllowed: chances.oneIn(2))
    sparing = .random(chances)
  }
}
