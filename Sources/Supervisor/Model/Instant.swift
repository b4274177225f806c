// Time as the decisions see it: monotonic, handed in, never read here.

/// A point of CLOCK_MONOTONIC, in nanoseconds since the boot of the machine (clock_gettime(2)).
package struct Instant: Hashable, Comparable, Sendable, Codable {
  package var nanoseconds: UInt64

  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

  /// Saturates: what is too far away never comes, instead of having been long ago.
  package static func + (instant: Instant, duration: Duration) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
    return Instant(nanoseconds: overflow ? .max : sum)
  }

  /// The time from `b` to `a`; zero when `a` is the earlier one.
  package static func - (a: Instant, b: Instant) -> Duration {
    .nanoseconds(a.nanoseconds >= b.nanoseconds ? Int64(clamping: a.nanoseconds - b.nanoseconds) : 0)
  }
}

extension Duration {
  /// Nanoseconds, from 0 to `UInt64.max`; a negative duration counts as 0.
  package var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? .max : product &+ UInt64(attoseconds / 1_000_000_000)
  }

  /// Milliseconds with fraction, for people and for JSON.
  package var milliseconds: Double { Double(wholeNanoseconds) / 1e6 }

  /// "8 ms", "1.2 s", "3 m 20 s", "4 h 10 m", "2 d 3 h": one or two units, as a person would say it.
  package var text: String {
    let ms = wholeNanoseconds / 1_000_000
    if ms < 1000 { return "\(ms) ms" }
    let seconds = ms / 1000
    if seconds < 60 { return ms % 1000 / 100 == 0 ? "\(seconds) s" : "\(seconds).\(ms % 1000 / 100) s" }
    if seconds < 3600 { return "\(seconds / 60) m \(seconds % 60) s" }
    if seconds < 86400 { return "\(seconds / 3600) h \(seconds % 3600 / 60) m" }
    return "\(seconds / 86400) d \(seconds % 86400 / 3600) h"
  }
}
