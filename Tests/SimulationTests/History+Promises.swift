// What must hold at every step of every history.

import Supervisor
import SupervisorDaemon

extension History {
  /// A launch follows a clean verification of this very moment, and nothing of any generation before is alive.
  func checkLaunch(_ generation: Int, of service: Int, cause: Cause) throws(Violation) {
    let world = services[service]
    let name = "s\(service): generation \(generation) is launched"
    guard case .fact(.verified(let verification), service) = cause, verification.verdict == .clear else {
      throw violation("\(name) without a clean verification")
    }
    if generation != world.launched + 1 { throw violation("\(name) after \(world.launched)") }
    if world.emptied != world.launched {
      throw violation("\(name), but nobody said that \(world.launched) is gone")
    }
    if world.isToStop { throw violation("\(name), but it was to stop") }
    if world.isInTheWorld { throw violation("\(name) beside processes of \(world.launched)") }
    if world.verified != graph.machines[service].definition {
      throw violation("\(name) with a definition that was not the one verified")
    }
    if world.foreigner != nil { throw violation("\(name), and a stranger has its port") }
  }

  /// What processes could notice comes into force when none of them is alive.
  func checkTakeover(of service: Int) throws(Violation) {
    let world = services[service]
    if world.isInTheWorld || world.emptied != world.launched {
      throw violation("s\(service): a new definition is in force while generation \(world.launched) is alive")
    }
  }

  /// What people asked for last counts, for a service and for those that it requires.
  func checkWishes(from before: [Phase], cause: Cause) throws(Violation) {
    if before == phases { return }
    for service in before.indices where before[service] != phases[service] {
      if before[service].isAtRest, phases[service] == .verifying,
        let other = services[service].required.first(where: { services[$0].isToStop })
      {
        throw violation("s\(service) is started, and s\(other), which it requires, is to stop")
      }
      if services[service].isWanted, before[service] == .running, phases[service] == .stopping,
        !cause.mayStop(service), graph.machines[service].nextDefinition == nil
      {
        throw violation("s\(service) is stopped, and somebody wants it")
      }
    }
  }

  /// Every service that is on its way waits for a timer at most; one that is not needs none.
  func checkPending(_ service: Int) throws(Violation) {
    let hasTimer = services[service].timer != nil
    switch phases[service] {
    case .stopped, .failed:
      if hasTimer { throw violation("s\(service): a timer is armed at rest") }
      if services[service].isInTheWorld {
        throw violation("s\(service): rests, and something of it is alive")
      }
    case .running:
      if hasTimer { throw violation("s\(service): a timer is armed while it runs") }
      if !isAwaited(service) { throw violation("s\(service): runs, but nothing of it is alive") }
    case .verifying: throw violation("s\(service): its verification was never answered")
    case .launching, .starting, .stopping, .sweeping, .backingOff, .blocked:
      if !hasTimer { throw violation("s\(service): nothing is armed in \(phases[service])") }
    }
  }

  /// The main process is alive, or the news of its end are on their way.
  private func isAwaited(_ service: Int) -> Bool {
    services[service].tree?.main != nil || !services[service].channel.isEmpty
  }

  func expectRequestsToBeSettled() throws(Violation) {
    for service in services.indices where services[service].isUnsettled {
      throw violation("s\(service): a request was never settled: \(states)")
    }
  }

  func expectAll(_ what: String, _ holds: (ServiceMachine) -> Bool) throws(Violation) {
    for machine in graph.machines where !holds(machine) {
      throw violation("\(machine.definition.name): not every service \(what): \(states)")
    }
  }
}

extension History.Cause {
  /// It is about this very service, or stops services.
  fileprivate func mayStop(_ service: Int) -> Bool {
    switch self {
    case .fact(_, let subject): subject == service
    case .request(.restart(let subjects)): subjects.contains(service)
    case .request(.start), .request(.redefine), .replacement: false
    case .request(.stop), .request(.hurry), .request(.remove): true
    }
  }
}
