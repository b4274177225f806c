// Whether services are started after those they depend on, and stopped before them.

import Supervisor
import SupervisorDaemon

/// Follows the last request to each service, and what it has to wait for.
struct OrderOfServices {
  private let predecessors: [[Int]]
  private let required: [[Int]]
  /// For each service that was asked to start: those it waits for, each until it was seen to be decided.
  private var startsAfter: [Set<Int>]
  /// For each service that was asked to stop: those that have to be gone before.
  private var stopsAfter: [Set<Int>]

  init(services: [SimulatedService]) {
    predecessors = services.map(\.predecessors)
    required = services.map(\.required)
    startsAfter = services.map { _ in [] }
    stopsAfter = services.map { _ in [] }
  }

  /// A request replaces what was expected of those that it names.
  mutating func note(_ request: History.Request, phases: [Phase], graph: ServiceGraph) {
    switch request {
    case .start(let subjects):
      subjects.forEach { forget($0) }
      withRequired(of: subjects).forEach { forgetStop(of: $0) }
      let together = Set(subjects).filter { phases[$0].isAtRest }
      for service in together { startsAfter[service] = together.intersection(predecessors[service]) }
    case .stop(let subjects):
      withRequirers(of: subjects).forEach { forget($0) }
      for service in subjects where Self.hasSomethingAlive(phases[service], graph, service) {
        for other in predecessors[service] where subjects.contains(other) {
          stopsAfter[other].insert(service)
        }
      }
    case .restart(let subjects):
      subjects.forEach { forget($0) }
      withRequired(of: subjects).forEach { forgetStop(of: $0) }
    case .remove(let subject): forget(subject)
    case .redefine: break
    case .hurry: stopsAfter.indices.forEach { forget($0) }
    }
  }

  /// Nobody starts after it.
  func isLast(_ service: Int) -> Bool { !predecessors.contains { $0.contains(service) } }

  /// Stopping a service stops those that require it.
  func withRequirers(of subjects: [Int]) -> Set<Int> {
    var result = Set(subjects)
    var grown = true
    while grown {
      let more = required.indices.filter { !result.contains($0) && !result.isDisjoint(with: required[$0]) }
      result.formUnion(more)
      grown = !more.isEmpty
    }
    return result
  }

  /// Who wants a service wants those that it requires: what was to stop of them goes on, and nobody waits for its end.
  private func withRequired(of subjects: [Int]) -> Set<Int> {
    var result = Set(subjects)
    var work = subjects
    while let service = work.popLast() {
      work += required[service].filter { result.insert($0).inserted }
    }
    return result
  }

  private mutating func forgetStop(of service: Int) {
    stopsAfter[service] = []
    for other in stopsAfter.indices { stopsAfter[other].remove(service) }
  }

  private mutating func forget(_ service: Int) {
    startsAfter[service] = []
    stopsAfter[service] = []
    for other in startsAfter.indices {
      startsAfter[other].remove(service)
      stopsAfter[other].remove(service)
    }
  }

  mutating func check(from before: [Phase], to after: [Phase], cause: History.Cause, history: History)
    throws(Violation)
  {
    if before == after { return }
    for service in before.indices where before[service] != after[service] {
      settle(service, after[service], history.graph)
    }
    for service in before.indices where before[service] != after[service] {
      if after[service] == .verifying, let other = startsAfter[service].first {
        throw history.violation("s\(service) is started, and s\(other), which goes first, is not decided")
      }
      if before[service] == .running, after[service] == .stopping, let other = stopsAfter[service].first {
        throw history.violation("s\(service) is stopped before s\(other), which starts after it")
      }
    }
  }

  /// What was decided, or is gone, is no reason to wait any more, whatever becomes of it.
  private mutating func settle(_ changed: Int, _ phase: Phase, _ graph: ServiceGraph) {
    switch phase {
    case .stopped, .running, .backingOff, .blocked, .failed:
      for service in startsAfter.indices { startsAfter[service].remove(changed) }
    case .verifying, .launching, .starting, .stopping, .sweeping: break
    }
    if !Self.hasSomethingAlive(phase, graph, changed) {
      for service in stopsAfter.indices { stopsAfter[service].remove(changed) }
    }
  }

  private static func hasSomethingAlive(_ phase: Phase, _ graph: ServiceGraph, _ service: Int) -> Bool {
    !phase.isAtRest && !(phase == .blocked && graph.machines[service].isUnkillable)
  }
}
