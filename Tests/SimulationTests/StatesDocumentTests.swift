// docs/states.md shows what the machines do. FDSUPERVISOR_UPDATE_DOCS=1 prints it anew.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("docs/states.md")
struct StatesDocumentTests {
  /// Enough that twice as many show nothing more.
  private static let seeds: Range<UInt64> = 0..<6000

  @Test("shows the transitions that are seen in the simulation, and no others")
  func isUpToDate() throws {
    var table = TransitionTable()
    for seed in Self.seeds {
      var history = History(seed: seed)
      history.transitions = TransitionTable()
      try history.run()
      if let seen = history.transitions { table.merge(seen) }
    }
    let path = StatesFile.path()
    let document = try #require(StatesFile.read(path), "cannot read \(path)")
    let expected = try #require(StatesDocument(table: table).inserted(into: document), "it has no marks")
    if getenv("FDSUPERVISOR_UPDATE_DOCS") != nil {
      #expect(StatesFile.write(expected, to: path), "cannot write \(path)")
    } else {
      #expect(document == expected, "run FDSUPERVISOR_UPDATE_DOCS=1 swift test --filter StatesDocumentTests")
    }
  }

  @Test("calls the states by the names that the log uses")
  func names() throws {
    var history = History(seed: 1)
    try history.run()
    for machine in history.graph.machines {
      #expect(machine.state.name == machine.state.phase.rawValue)
    }
  }
}
