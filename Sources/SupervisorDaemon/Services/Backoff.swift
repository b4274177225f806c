// How long to wait after failures, and when there were too many launches: pure arithmetic.

import Supervisor

extension BackoffDefinition {
  /// The delay before the launch that follows the n-th failure in a row (n ≥ 1).
  ///
  /// Nothing after the first, `initial` after the second, then × `factor` up to `max`; `jitter` moves it by that
  /// share either way, so that services which failed together don't come back together.
  /// - Parameter random: 0 ..< 1.
  package func delay(afterFailure number: Int, random: Double) -> Duration {
    guard number > 1 else { return .zero }
    let ceiling = Double(max.wholeNanoseconds)
    var nanoseconds = Double(initial.wholeNanoseconds)
    for _ in 2..<Swift.max(3, number) where number > 2 {
      nanoseconds *= factor
      if nanoseconds >= ceiling { break }
    }
    nanoseconds = Swift.min(nanoseconds, ceiling) * (1 + jitter * (2 * random - 1))
    return Swift.max(Self.shortest, .nanoseconds(Int64(Swift.min(nanoseconds, 9e18))))
  }

  /// The delay after too many launches.
  package var longest: Duration { Swift.max(Self.shortest, max) }

  /// Whatever is configured: a launch that fails at once must let the loop go on before it is tried a third time.
  private static let shortest: Duration = .milliseconds(1)

  /// How long a service has to be ready so that n failures before count no more: five times the delay that the next
  /// failure would cost, but never more than ten seconds.
  ///
  /// A service that runs much longer than it would wait gains nothing by waiting, and its users lose.
  package func stableRun(afterFailures number: Int) -> Duration {
    Swift.min(delay(afterFailure: number + 1, random: 0.5) * 5, .seconds(10))
  }
}

/// The automatic launches of the last interval.
package struct LaunchHistory: Hashable, Sendable, Codable {
  private var launches: [Instant] = []

  package init() {}

  /// Counts a launch and forgets those that are older than the interval.
  package mutating func count(at now: Instant, limit: StartLimitDefinition) {
    launches.removeAll { now - $0 >= limit.interval }
    launches.append(now)
    if launches.count > limit.burst { launches.removeFirst(launches.count - limit.burst) }
  }

  /// Whether one more launch at that time would be more than `burst` within `interval`.
  package func isExhausted(at now: Instant, limit: StartLimitDefinition) -> Bool {
    launches.count { now - $0 < limit.interval } >= limit.burst
  }

  package mutating func forget() { launches = [] }
}

/// A small seeded generator: jitter needs no secrecy, and a simulation has to repeat itself (SplitMix64).
package struct SplitMix64: RandomNumberGenerator, Hashable, Sendable, Codable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// 0 ..< 1.
  package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
