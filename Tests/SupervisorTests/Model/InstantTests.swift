// Points of time and what is added to them.

import Supervisor
import Testing

@Suite("An instant")
struct InstantTests {
  @Test("so far away that it can't be told is the last one, never a past one")
  func saturation() {
    let now = Instant(nanoseconds: 1_000)
    #expect(now + .seconds(Int64.max) == Instant(nanoseconds: .max))
    #expect(now + .nanoseconds(5) == Instant(nanoseconds: 1_005))
  }
}
