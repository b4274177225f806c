// Strays that live on: what is taken from them, and who may.

import Supervisor
import SupervisorDaemon

extension History {
  /// Where strays may live on there are more of them.
  mutating func perhapsLeaveStray() {
    guard case .random(var chances) = sparing else { return }
    let service = chances.below(services.count)
    sparing = .random(chances)
    guard let tree = services[service].tree, tree.main != nil, tree.strays.count < 6 else { return }
    addStray(to: service)
  }

  mutating func takePorts(from strays: [Stray], of service: Int) {
    let identities = Set(strays.map(\.identity))
    let takes = mutation != .leavePorts
    var partings: [Parting] = strays.map { Parting($0.identity, .parted([])) }
    services[service].tree?.forEachLiving { process in
      guard identities.contains(process.identity) else { return }
      let outcome: Parting.Outcome
      switch process.holding {
      case .nothing, .accepts: return
      case .guardedPort:
        if takes { process.holding = .nothing }
        outcome = .parted(["the port"])
      case .inseparablePort: outcome = .inseparable("it can't be parted from the port")
      }
      for index in partings.indices where partings[index].identity == process.identity {
        partings[index].outcome = outcome
      }
    }
    answers.append((service, .parted(generation: graph.machines[service].generation, partings)))
  }

  /// A generation is over although somebody of it lives: the configuration has to want that, of each of them.
  mutating func retain(_ generation: Int, of service: Int) throws(Violation) {
    let world = services[service]
    guard let tree = world.tree, tree.generation == generation else {
      throw violation("s\(service): \(generation) is retained, and is not there")
    }
    let name = "s\(service): a stray of \(generation) lives on"
    if tree.main != nil { throw violation("\(name), which is its main process") }
    // A keeper's death that was not told yet is noticed by whoever reaps it.
    if tree.keeper == .preparing || tree.keeper == .stuck {
      throw violation("\(name) without having been launched")
    }
    let definition = world.definition
    for stray in tree.strays {
      switch definition.strays {
      case .report: continue
      case .kill where !stray.isAllowed: throw violation("\(name), and was to be killed")
      case .kill, .release:
        if stray.holding != .nothing { throw violation("\(name) with a port") }
        if stray.isDoomed, !stray.isStuck { continue }
      }
    }
    for stray in tree.strays { numbers.release(stray.identity) }
    // One that keeps a guarded port stands in the way of the next generation as a stranger would.
    let holder = tree.strays.first { $0.holding == .guardedPort || $0.holding == .inseparablePort }
    // In a benign world it soon ends by itself.
    if let holder, !isBenign, world.hasGuardedPort, world.foreigner == nil {
      world.foreigner = Occupant(identity: holder.identity, description: "stray \(holder.identity.pid)")
    }
    world.channel.removeAll { event in
      switch event {
      case .keeperLost(generation), .treeEmptied(generation): true
      default: false
      }
    }
    world.loose.removeAll { event in
      if case .strayExited(generation, _) = event { true } else { false }
    }
    world.tree = nil
    world.emptied = generation
  }
}
