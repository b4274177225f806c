// The daemon is replaced in the middle of a history: its machines cross as JSON, its drivers' things are lost.

import Supervisor
import SupervisorDaemon

extension History {
  /// At every twelfth moment or so.
  mutating func perhapsReplace() throws(Violation) {
    guard case .often(var chances) = replacements else { return }
    let isNow = chances.oneIn(12)
    replacements = .often(chances)
    // A service that was removed has a place here, and none in what crosses.
    if isNow, !graph.isBetweenConfigurations, removed == nil { try replace() }
  }

  private mutating func replace() throws(Violation) {
    let definitions = graph.machines.map(\.definition)
    if mutation == .forgetState {
      graph = ServiceGraph(definitions: definitions, seed: 1)
    } else {
      let before = graph.snapshot
      graph = ServiceGraph(definitions: definitions, restoring: try throughJSON(before), seed: 1)
      if graph.snapshot != before {
        throw violation("a snapshot is not what it was after its way through JSON")
      }
    }
    for service in services.indices { loseWhatIsOfTheProcess(service) }
    let actions = mutation == .resumeNothing ? [] : graph.resumed(at: now)
    note("replaced", actions)
    try follow(actions, from: .replacement)
    try answerAll()
    for service in services.indices { try checkPending(service) }
  }

  private func throughJSON(_ snapshot: ServiceGraph.Snapshot) throws(Violation) -> ServiceGraph.Snapshot {
    do throws(WireError) {
      return try Wire.decode(ServiceGraph.Snapshot.self, from: try Wire.encode(snapshot))
    } catch { throw violation("a snapshot does not become JSON and back: \(error)") }
  }

  /// Timers, pidfds and walks end with the process; what keepers and services said waits in their sockets.
  private func loseWhatIsOfTheProcess(_ service: Int) {
    let world = services[service]
    world.timer = nil
    world.searches = []
    world.watched = []
    world.tree?.forEachLiving { $0.isWatched = false }
    world.loose.removeAll { event in
      switch event {
      case .strayExited, .occupantExited: true
      default: false
      }
    }
  }
}
