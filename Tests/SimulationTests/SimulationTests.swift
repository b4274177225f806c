// Seeded histories of random services in a random world: every effect is checked, and every end.
// `make test` runs 100,000 of them in a run of their own: FDSUPERVISOR_SIMULATION_SEEDS=N.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

/// How many histories, and in how many parts, so that both hands of the machine are busy.
private enum Extent {
  static let parts = 40
  static let seeds = getenv("FDSUPERVISOR_SIMULATION_SEEDS").flatMap { Int(String(cString: $0)) } ?? 2_000

  /// The seeds of one part.
  static func seeds(of part: Int) -> Range<UInt64> {
    UInt64(part * seeds / parts)..<UInt64((part + 1) * seeds / parts)
  }
}

@Suite("Any history of services", .timeLimit(.minutes(30)))
struct SimulationTests {
  @Test("keeps every promise", arguments: 0..<Extent.parts)
  func histories(part: Int) throws {
    for seed in Extent.seeds(of: part) { try History.run(seed: seed, isReplaced: seed % 3 == 2) }
  }

  /// Seeds that once broke a promise: they stay as they are, whatever the world learns.
  @Test("keeps the promises that were broken once", arguments: [0, 6, 519] as [UInt64])
  func pinned(seed: UInt64) throws { try History.run(seed: seed) }

  @Test("takes the same course whenever it is run", arguments: [1, 2, 3] as [UInt64])
  func repeats(seed: UInt64) throws {
    var first = History(seed: seed, isTraced: true)
    try first.run()
    var second = History(seed: seed, isTraced: true)
    try second.run()
    #expect(first.trace == second.trace)
    #expect(first.trace?.isEmpty == false)
  }

  @Test(
    "breaks a promise as soon as a transition is wrong",
    arguments: Mutation.allCases.filter { $0 != .none })
  func mutations(mutation: Mutation) {
    #expect(throws: Violation.self, "\(mutation) is not noticed in 200 histories") {
      for seed in 0..<200 {
        let seed = mutation == .leavePorts ? 4 * seed + 1 : seed
        try History.run(seed: UInt64(seed), mutation: mutation, isReplaced: mutation.isOfReplacements)
      }
    }
  }
}
