// The arithmetic of delays and limits.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A backoff")
struct BackoffTests {
  @Test("is nothing at first, then grows up to its maximum")
  func growth() {
    var backoff = BackoffDefinition()
    backoff.jitter = 0
    let delays = (1...12).map { backoff.delay(afterFailure: $0, random: 0.5).milliseconds }
    #expect(delays == [0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000])
  }

  @Test("moves by its jitter either way")
  func jitter() {
    let backoff = BackoffDefinition()
    #expect(backoff.delay(afterFailure: 2, random: 0) == .milliseconds(90))
    #expect(backoff.delay(afterFailure: 2, random: 1) == .milliseconds(110))
  }

  @Test("is forgotten after a run of five times what it would be, and of ten seconds in any case")
  func stableRun() {
    let backoff = BackoffDefinition()
    #expect(backoff.stableRun(afterFailures: 0) == .zero)
    #expect(backoff.stableRun(afterFailures: 1) == .milliseconds(500))
    #expect(backoff.stableRun(afterFailures: 2) == .seconds(1))
    #expect(backoff.stableRun(afterFailures: 20) == .seconds(10))
  }

  @Test("is never too small to let the loop go on")
  func shortest() {
    var backoff = BackoffDefinition()
    backoff.initial = .zero
    backoff.max = .zero
    #expect(backoff.delay(afterFailure: 2, random: 0.5) == .milliseconds(1))
    #expect(backoff.longest == .milliseconds(1))
  }

  @Test("of any length is a number")
  func enormous() {
    var backoff = BackoffDefinition()
    backoff.initial = .seconds(Int64.max)
    backoff.max = .seconds(Int64.max)
    #expect(backoff.delay(afterFailure: 1_000_000, random: 0.999) > .seconds(9_000_000_000 - 1))
  }

  @Test("limit counts the launches of its interval only")
  func limit() {
    var history = LaunchHistory()
    var limit = StartLimitDefinition()
    limit.burst = 2
    let start = Instant(nanoseconds: 1_000_000_000)
    for second in 0..<2 { history.count(at: start + .seconds(second), limit: limit) }
    #expect(history.isExhausted(at: start + .seconds(59), limit: limit))
    #expect(!history.isExhausted(at: start + .seconds(60), limit: limit))
  }
}
