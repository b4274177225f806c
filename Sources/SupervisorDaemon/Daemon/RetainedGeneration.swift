// A generation that is over, and of whom somebody lives on below its keeper, as the configuration wants it.

import Supervisor

/// One of several keepers of a service: the others are above what ended, this one only waits for the end of its tree.
final class RetainedGeneration {
  let keeper: Keeper
  /// As they were when the generation ended.
  let strays: [RelaunchReport.StrayRecord]
  /// The bind(2) calls of those who live on have to be answered.
  let interception: Interception?
  let cgroup: GenerationGroup?
  var source: EventSource?

  var generation: Int { keeper.generation }

  init(
    _ keeper: Keeper, _ strays: [RelaunchReport.StrayRecord], _ interception: Interception?,
    _ cgroup: GenerationGroup?
  ) {
    (self.keeper, self.strays, self.interception, self.cgroup) = (keeper, strays, interception, cgroup)
    interception?.isRetired = true
  }

  // Before the keeper goes, whose connection it watches.
  deinit { source?.cancel() }

  /// Everybody alive of it.
  var descendants: [Descendant] {
    guard keeper.isItself else { return [] }
    var found: [Descendant] = []
    Descendants.visit(.below(keeper.pid)) { found.append($0) }
    return found
  }

  /// Whether nobody of it was to be parted from anything.
  var keepsPorts: Bool { strays.contains { $0.fate == .reported } }

  var snapshot: HandoverState.Retained {
    .init(keeper: keeper.snapshot, strays: strays, filter: interception?.number)
  }
}
