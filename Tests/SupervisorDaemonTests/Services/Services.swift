// A graph of services whose world answers at once.

import Supervisor
import SupervisorDaemon

/// A graph whose answers come at once: verifications are clean, programs are executed.
struct Services {
  private(set) var graph: ServiceGraph
  private(set) var settled: [Int: Settlement] = [:]
  private(set) var now = Instant(nanoseconds: 1_000_000_000_000)

  init(_ definitions: ServiceDefinition...) { graph = ServiceGraph(definitions: definitions, seed: 1) }

  mutating func start(_ services: Int...) { perform(graph.start(services, at: now)) }
  mutating func stop(_ services: Int...) { perform(graph.stop(services, at: now)) }
  mutating func restart(_ services: Int...) { perform(graph.restart(services, at: now)) }
  mutating func retire(_ services: Int...) { perform(graph.retire(services, at: now)) }
  mutating func relaunch(_ services: Int...) { perform(graph.relaunch(services, at: now)) }
  mutating func redefine(
    _ service: Int, _ definition: ServiceDefinition, _ takeover: ServiceEvent.Takeover
  ) {
    perform(graph.redefine(service, definition, takeover, at: now))
  }
  mutating func add(_ definition: ServiceDefinition) -> Int {
    let (service, actions) = graph.add(definition, at: now)
    perform(actions)
    return service
  }
  /// Whether that led to something.
  mutating func changeFiles(of service: Int) -> Bool {
    guard let actions = graph.filesChanged(service, at: now) else { return false }
    perform(actions)
    return true
  }
  mutating func hurry() { perform(graph.hurry(at: now)) }
  mutating func tell(_ service: Int, _ event: ServiceEvent) {
    perform(graph.handle(event, for: service, at: now))
  }

  /// The main process is executed.
  mutating func run(_ service: Int) {
    tell(service, .executed(generation: graph.machines[service].generation, pid: Int32(10 + service)))
  }

  /// The main process ends, and nobody is left.
  mutating func end(_ service: Int, status: Int32 = 0) {
    let generation = graph.machines[service].generation
    tell(service, .mainExited(generation: generation, .exited(status)))
    tell(service, .treeEmptied(generation: generation))
  }

  var states: [String] { graph.machines.map(\.state.name) }

  private mutating func perform(_ actions: [ServiceGraph.Action]) {
    for action in actions {
      switch action.effect {
      case .verify: tell(action.service, .clear)
      case .settle(let settlement): settled[action.service] = settlement
      case .launch, .signalMain, .scan, .terminateStrays, .watchStrays, .killStrays, .killStraysBut,
        .takePorts, .retain, .probePorts, .arm,
        .disarm,
        .nameOccupants, .watchOccupants, .forgetOccupants, .redefine, .log:
        break
      }
    }
  }
}
