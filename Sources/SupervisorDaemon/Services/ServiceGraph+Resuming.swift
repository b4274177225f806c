// All services on their way into another process: what crosses, and what has to be set up again.

import Supervisor

extension ServiceGraph {
  /// Whether the services are between two configurations, of which a snapshot could tell only one.
  package var isBetweenConfigurations: Bool {
    !pendingRelaunches.isEmpty
      || present.contains { retired.contains($0) || machines[$0].nextDefinition != nil }
  }

  /// All services at one moment, by their names; of no use while `isBetweenConfigurations`.
  package struct Snapshot: Hashable, Sendable, Codable {
    package fileprivate(set) var machines: [String: ServiceMachine.Snapshot]
    fileprivate var pendingStarts: Set<String>
    fileprivate var pendingStops: Set<String>
  }

  package var snapshot: Snapshot {
    func name(_ service: Int) -> String { machines[service].definition.name }
    return Snapshot(
      machines: Dictionary(uniqueKeysWithValues: present.map { (name($0), machines[$0].snapshot) }),
      pendingStarts: Set(pendingStarts.map(name)), pendingStops: Set(pendingStops.map(name)))
  }

  /// Goes on where another process left off; a service that it did not know begins at rest.
  package init(definitions: [ServiceDefinition], restoring snapshot: Snapshot, seed: UInt64) {
    self.init(definitions: definitions, seed: seed)
    for (index, definition) in definitions.enumerated() {
      guard let machine = snapshot.machines[definition.name] else { continue }
      machines[index] = ServiceMachine(definition: definition, restoring: machine)
      if snapshot.pendingStarts.contains(definition.name) { pendingStarts.insert(index) }
      if snapshot.pendingStops.contains(definition.name) { pendingStops.insert(index) }
    }
  }

  /// What has to be set up again after the daemon was replaced; carried out before any fact is told.
  package mutating func resumed(at now: Instant) -> [Action] {
    let actions = machines.indices.flatMap { service in
      machines[service].resumed(at: now).map { Action(service: service, effect: $0) }
    }
    return actions + advance(at: now)
  }
}
