// A new definition: in force at once, or from the moment when nothing of the current generation is left.

import Supervisor

extension ServiceMachine {
  /// What the configuration says now, whether it is in force already or not.
  package var wantedDefinition: ServiceDefinition { nextDefinition ?? definition }

  mutating func redefined(
    _ new: ServiceDefinition, _ takeover: ServiceEvent.Takeover
  ) -> [ServiceEffect] {
    // What is in force at once must not bring what waits for the next generation into force with it.
    if takeover == .atOnce, nextDefinition == nil { return replaceDefinition(by: new) }
    nextDefinition = new
    return isWithoutGeneration ? takeOver() : []
  }

  /// Nothing of the current generation is left: what waited for that is in force.
  mutating func takeOver() -> [ServiceEffect] {
    guard let next = nextDefinition else { return [] }
    nextDefinition = nil
    return replaceDefinition(by: next)
  }

  private mutating func replaceDefinition(by new: ServiceDefinition) -> [ServiceEffect] {
    definition = new
    return [.redefine]
  }

  /// No process of the last generation is alive, and no verification about it is under way.
  private var isWithoutGeneration: Bool {
    switch state {
    case .stopped, .failed, .backingOff: true
    case .blocked(let blocked):
      switch blocked.cause {
      case .occupied: true
      case .unkillable: false
      }
    case .verifying, .launching, .starting, .running, .stopping, .sweeping: false
    }
  }
}
