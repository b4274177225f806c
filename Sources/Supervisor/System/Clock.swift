// The one place where time is read.

import Glibc

package enum Clock {
  /// CLOCK_MONOTONIC: it does not jump when somebody sets the clock (clock_gettime(2)).
  package static func now() -> Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }

  /// Seconds since 1970, with fraction, for people and for JSON.
  package static func wallClock() -> Double { Double(read(CLOCK_REALTIME)) / 1e9 }

  /// Nanoseconds since boot, with the time asleep, CLOCK_BOOTTIME: what /proc/PID/stat counts in.
  package static func sinceBoot() -> UInt64 { read(CLOCK_BOOTTIME) }

  /// Waits, at the start of the program, for what gives no event; never once the loop runs.
  package static func pause(_ duration: Duration) {
    _ = poll(nil, 0, Int32(clamping: duration.wholeNanoseconds / 1_000_000))
  }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // clock_gettime(2) of a clock that every kernel has can't fail.
    precondition(clock_gettime(clock, &time) == 0, "clock_gettime")
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
