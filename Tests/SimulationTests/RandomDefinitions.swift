// Random services: every policy, readiness and limit, with dependencies that have no cycle.

import Supervisor
import SupervisorDaemon

enum RandomDefinitions {
  static func make(_ random: inout SplitMix64) -> [ServiceDefinition] {
    let count = 1 + random.below(6)
    let isReversed = random.below(2) == 0
    return (0..<count).map { index in
      var definition = service(index, &random)
      // Each depends on those on one side only: no cycle, and either order in the configuration.
      for other in isReversed ? (index + 1)..<count : 0..<index {
        switch random.below(6) {
        case 0: definition.after.append("s\(other)")
        case 1: definition.requires.append("s\(other)")
        default: break
        }
      }
      return definition
    }
  }

  /// The same service with other policies, and for a new generation with another command, readiness and port.
  static func variant(
    of old: ServiceDefinition, _ takeover: ServiceEvent.Takeover, _ random: inout SplitMix64
  ) -> ServiceDefinition {
    var new = service(0, &random)
    let port = UInt16(7000 + random.below(1000))
    (new.name, new.command, new.after, new.requires) = (old.name, old.command, old.after, old.requires)
    (new.readiness, new.ports) = (old.readiness, old.ports)
    (new.strays, new.strayAllow) = (old.strays, old.strayAllow)
    guard takeover == .withNextGeneration else { return new }
    new.command = [old.name, "\(random.below(1_000_000))"]
    // Whether it has a guarded port at all is the world's business.
    if old.ports.isEmpty { return new }
    new.ports = [.tcp(.v4(0x7f00_0001), port: port)]
    new.readiness = Readiness.allCases[random.below(4)]
    return new
  }

  /// Any policy for strays.
  static func spare(_ definition: inout ServiceDefinition, _ random: inout SplitMix64) {
    definition.strays = StrayPolicy.allCases[random.below(3)]
    definition.strayAllow = random.oneIn(2) ? ["tmux*"] : []
  }

  private static func service(_ index: Int, _ random: inout SplitMix64) -> ServiceDefinition {
    var definition = ServiceDefinition(name: "s\(index)", command: ["s\(index)"])
    definition.restart = RestartPolicy.allCases[random.below(3)]
    definition.readiness = Readiness.allCases[random.below(4)]
    if definition.readiness == .listen || random.below(2) == 0 {
      definition.ports = [.tcp(.v4(0x7f00_0001), port: UInt16(7000 + index))]
    }
    definition.startTimeout = .milliseconds([1, 1000, 30_000][random.below(3)])
    definition.startTimeoutAction = random.oneIn(4) ? .proceed : .fail
    definition.stopTimeout = .milliseconds([0, 200, 10_000][random.below(3)])
    definition.strayTimeout = .milliseconds([0, 50, 500][random.below(3)])
    definition.backoff.initial = .milliseconds([0, 10, 100][random.below(3)])
    definition.backoff.max = .milliseconds([0, 1000, 30_000][random.below(3)])
    definition.backoff.factor = [1, 2][random.below(2)]
    definition.backoff.jitter = [0, 0.1, 1][random.below(3)]
    definition.startLimit.burst = [1, 3, 10][random.below(3)]
    definition.startLimit.interval = .milliseconds([1000, 60_000][random.below(2)])
    definition.startLimit.action = StartLimitDefinition.Action.allCases[random.below(2)]
    return definition
  }
}

extension SplitMix64 {
  /// 0 ..< bound.
  mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % bound }

  /// True once in so many times.
  mutating func oneIn(_ times: Int) -> Bool { below(times) == 0 }
}
