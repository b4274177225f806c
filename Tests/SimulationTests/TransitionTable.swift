// The transitions that the machines were seen to make, as docs/states.md shows them.

import Supervisor
import SupervisorDaemon

/// Every change of state that happened, with the fact that led to it.
struct TransitionTable {
  struct Transition: Hashable {
    var from: Phase
    var event: String
    var to: Phase
  }

  private(set) var seen: Set<Transition> = []

  /// What changed elsewhere than where something happened came of the order between services.
  mutating func record(_ cause: History.Cause, from before: [Phase], to after: [Phase]) {
    for index in before.indices where before[index] != after[index] {
      let (from, to) = (before[index], after[index])
      let name =
        switch cause {
        case .fact(let event, index): Self.name(of: event)
        case .request(.restart(let subjects)) where subjects.contains(index) && !from.isAtRest:
          "restartRequested"
        case .request(.hurry) where from == .launching: "hurryRequested"
        case .request(.redefine(index, _, _)): "redefined"
        case .request, .fact, .replacement: Self.requestThatLed(to: to)
        }
      seen.insert(Transition(from: from, event: name, to: to))
    }
  }

  mutating func merge(_ other: TransitionTable) { seen.formUnion(other.seen) }

  private static func requestThatLed(to phase: Phase) -> String {
    switch phase {
    case .verifying, .launching: "startRequested"
    case .failed: "requirementFailed"
    case .stopped, .starting, .running, .stopping, .sweeping, .backingOff, .blocked: "stopRequested"
    }
  }

  static func name(of event: ServiceEvent) -> String {
    switch event {
    case .startRequested: "startRequested"
    case .stopRequested: "stopRequested"
    case .restartRequested: "restartRequested"
    case .hurryRequested: "hurryRequested"
    case .requirementFailed: "requirementFailed"
    case .redefined: "redefined"
    case .verified(let verification):
      verification.verdict == .clear ? "verified clear" : "verified occupied"
    case .adopted: "adopted"
    case .leftBehind: "leftBehind"
    case .executed: "executed"
    case .launchFailed: "launchFailed"
    case .notified: "notified"
    case .bound: "bound"
    case .probed: "probed"
    case .mainExited: "mainExited"
    case .keeperLost: "keeperLost"
    case .treeEmptied: "treeEmptied"
    case .scanned: "scanned"
    case .strayExited: "strayExited"
    case .parted: "parted"
    case .timerFired: "timerFired"
    case .occupantsNamed: "occupantsNamed"
    case .occupantExited: "occupantExited"
    }
  }
}
