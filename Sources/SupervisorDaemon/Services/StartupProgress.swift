// When the services of the start have all come to a result: what READY=1 may wait for. Pure.

/// The services that start by themselves, and which of them came to a first result.
package struct StartupProgress: Hashable, Sendable {
  private let wanted: [Int]
  private var settled: Set<Int> = []

  package init(wanted: [Int]) { self.wanted = wanted }

  /// The first attempt of a service came to a result: it runs, stopped, failed, backs off or is blocked.
  package mutating func note(_ service: Int) { settled.insert(service) }

  /// Whether each has a result, or waits for one that has: nobody knows when that one will run.
  package func isComplete(_ graph: ServiceGraph) -> Bool { wanted.allSatisfy { isDecided($0, graph) } }

  private func isDecided(_ service: Int, _ graph: ServiceGraph) -> Bool {
    // There is no cycle among the obstacles: the configuration has none.
    settled.contains(service) || graph.obstacles(of: service).contains { isDecided($0, graph) }
  }
}
