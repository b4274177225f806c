// A machine with a clock of its own: tests read as what was told, and what was wanted.

import Supervisor
import SupervisorDaemon

/// One service's machine, told one fact after the other.
struct Transcript {
  private(set) var machine: ServiceMachine
  private(set) var now = Instant(nanoseconds: 1_000_000_000_000)

  init(_ change: (inout ServiceDefinition) -> Void = { _ in }) {
    var definition = ServiceDefinition(name: "app", command: ["app"])
    definition.backoff.jitter = 0
    change(&definition)
    machine = ServiceMachine(definition: definition, seed: 1)
  }

  /// The effects without what is logged.
  mutating func tell(_ event: ServiceEvent, after wait: Duration = .zero) -> [ServiceEffect] {
    now = now + wait
    return machine.handle(event, at: now).filter { if case .log = $0 { false } else { true } }
  }

  /// For the way to what a test is about.
  mutating func follow(_ events: ServiceEvent...) {
    for event in events { _ = tell(event) }
  }

  /// The next generation, from rest to its main process.
  mutating func run(pid: Int32) {
    follow(.startRequested, .clear, .executed(generation: machine.generation + 1, pid: pid))
  }

  var state: String { machine.state.name }

  /// Its way through JSON into another process, and what that one does first.
  mutating func resume() throws -> [ServiceEffect] {
    let bytes = try Wire.encode(machine.snapshot)
    machine = ServiceMachine(
      definition: machine.definition, restoring: try Wire.decode(ServiceMachine.Snapshot.self, from: bytes))
    return machine.resumed(at: now)
  }
}

extension ServiceEvent {
  static let clear = ServiceEvent.verified(Verification(.clear))

  static func taken(_ finding: String) -> ServiceEvent { .verified(Verification(.occupied(finding))) }
}

extension Stray {
  init(_ pid: Int32, born: UInt64 = 1) {
    self.init(identity: ProcessIdentity(pid: pid, startTime: born), command: "sleep")
  }
}

extension [ServiceEffect] {
  /// What whoever waits is told.
  var settlements: [Settlement] {
    compactMap { if case .settle(let settlement) = $0 { settlement } else { nil } }
  }
}
