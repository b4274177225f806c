// What the model world knows of one service: its processes, its timer, what was sent and has not arrived.

import Supervisor
import SupervisorDaemon

/// One service of the model world.
///
/// A class, because the world reads and writes small parts of it all the time.
final class SimulatedService {
  /// The one in force.
  var definition: ServiceDefinition
  /// The one that the last verification was about.
  var verified: ServiceDefinition?
  /// Those it starts after, and of these the ones it requires; indices.
  let predecessors: [Int]
  let required: [Int]

  var timer: Instant?
  var tree: SimulatedTree?
  /// What the keeper says and what follows from its end, in this order.
  var channel: [ServiceEvent] = []
  /// What arrives at any time, or late.
  var loose: [ServiceEvent] = []
  /// Facts about generations that are no more; they arrive once more, to be dropped.
  var stale: [ServiceEvent] = []
  /// Somebody else has its guarded port.
  var foreigner: Occupant?
  /// For each search that is under way: whom it will find.
  var searches: [[Occupant]] = []
  var watched: [Occupant] = []

  /// The last generation that was launched, and the last one that is known to be gone.
  var launched = 0
  var emptied = 0
  /// A request was made, and nobody has been told yet what it came to.
  var isUnsettled = false
  /// The last one who asked wanted it stopped.
  var isToStop = false
  /// The last one who asked wanted it to run, or one that requires it; nobody stopped what it requires since.
  var isWanted = false

  init(definition: ServiceDefinition, index: [String: Int]) {
    self.definition = definition
    required = definition.requires.compactMap { index[$0] }
    predecessors = (definition.requires + definition.after).compactMap { index[$0] }
  }

  /// The world of another service of that name and place.
  func successor(_ definition: ServiceDefinition) -> SimulatedService {
    SimulatedService(definition, predecessors: predecessors, required: required)
  }

  private init(_ definition: ServiceDefinition, predecessors: [Int], required: [Int]) {
    (self.definition, self.predecessors, self.required) = (definition, predecessors, required)
  }

  var hasGuardedPort: Bool { !definition.ports.isEmpty }

  /// Something of it is alive, or its end was not yet delivered.
  var isInTheWorld: Bool { tree?.isAlive ?? false }

  /// After every death: the keeper's end, or that of the last orphan, is what the daemon hears.
  func closeTreeIfEmpty() {
    guard let tree, tree.main == nil, tree.strays.isEmpty else { return }
    switch tree.keeper {
    case .keeping where tree.wasExecuted, .lost:
      self.tree?.keeper = .gone
      channel.append(.treeEmptied(generation: tree.generation))
    case .keeping, .preparing, .stuck, .gone: break
    }
  }

  func execute(_ numbers: inout ProcessNumbers, temper: SimulatedProcess.Temper) {
    guard let generation = tree?.generation else { return }
    let main = SimulatedProcess(identity: numbers.take(), temper: temper)
    tree?.keeper = .keeping
    tree?.main = main
    tree?.wasExecuted = true
    tree?.members.append(main.identity)
    channel.append(.executed(generation: generation, pid: main.identity.pid))
  }

  func failToExecute() {
    guard let generation = tree?.generation else { return }
    let failure = LaunchFailure(message: "cannot execute", keeper: .exiting)
    tree?.keeper = .gone
    channel += [.launchFailed(generation: generation, failure), .treeEmptied(generation: generation)]
  }

  func addStray(
    _ numbers: inout ProcessNumbers, temper: SimulatedProcess.Temper,
    holding: SimulatedProcess.Holding = .nothing, isAllowed: Bool = false
  ) {
    var stray = SimulatedProcess(identity: numbers.take(), temper: temper)
    (stray.holding, stray.isAllowed) = (holding, isAllowed)
    tree?.strays.append(stray)
    tree?.members.append(stray.identity)
  }

  /// The main process ends.
  func endMain(_ reason: ExitReason, _ numbers: inout ProcessNumbers, isReported: Bool = true) {
    guard let main = tree?.main, let generation = tree?.generation else { return }
    tree?.main = nil
    numbers.release(main.identity)
    if isReported { channel.append(.mainExited(generation: generation, reason)) }
    if main.isWatched { loose.append(.strayExited(generation: generation, pid: main.identity.pid)) }
    closeTreeIfEmpty()
  }

  func endStray(_ index: Int, _ numbers: inout ProcessNumbers) {
    guard let generation = tree?.generation, let stray = tree?.strays.remove(at: index) else { return }
    numbers.release(stray.identity)
    if stray.isWatched { loose.append(.strayExited(generation: generation, pid: stray.identity.pid)) }
    closeTreeIfEmpty()
  }

  func loseKeeper(isToldFirst: Bool) {
    guard let tree else { return }
    let event = ServiceEvent.keeperLost(generation: tree.generation)
    self.tree?.keeper = .lost
    if isToldFirst { channel.insert(event, at: 0) } else { channel.append(event) }
    closeTreeIfEmpty()
  }

  func releasePort() {
    guard let foreigner = foreigner.take() else { return }
    if watched.contains(foreigner) { loose.append(.occupantExited) }
  }
}
