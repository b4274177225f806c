// How long a start or a stop of everything may take by the definitions: EXTEND_TIMEOUT_USEC of sd_notify(3). Pure.

import Supervisor

package enum TimeBounds {
  /// Until each service came to a first result: launched, not ready in time, and stopped again.
  package static func start(_ services: [ServiceDefinition]) -> Duration {
    longestChain(services) { $0.startTimeout * 2 + end(of: $0) }
  }

  /// Until the last of them is gone, or known to be unkillable.
  package static func stop(_ services: [ServiceDefinition]) -> Duration { longestChain(services, end) }

  /// The stop signal, SIGKILL, the sweep, SIGKILL once more.
  private static func end(of service: ServiceDefinition) -> Duration {
    service.stopTimeout + ServiceMachine.unkillableAfter + service.strayTimeout
      + ServiceMachine.unkillableAfter
  }

  /// Services that wait for each other take their times one after the other, all others at once.
  private static func longestChain(
    _ services: [ServiceDefinition], _ time: (ServiceDefinition) -> Duration
  ) -> Duration {
    let byName = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var known: [String: Duration] = [:]
    func chain(_ service: ServiceDefinition) -> Duration {
      if let known = known[service.name] { return known }
      let before = (service.after + service.requires).compactMap { byName[$0] }.map(chain).max() ?? .zero
      known[service.name] = before + time(service)
      return before + time(service)
    }
    return services.map(chain).max() ?? .zero
  }
}
