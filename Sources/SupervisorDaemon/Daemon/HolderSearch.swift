// A walk over every process of the machine, in a child at low priority, off the loop.

import Supervisor

/// One search that is under way.
///
/// Dropping it drops its result.
final class HolderSearch {
  private let walk: RunningWalk
  private var source: EventSource?

  /// - Parameters:
  ///   - started: told the pid of the child, which the daemon's reaper has to know.
  ///   - onResult: called once; nil when the walk failed.
  init(
    inodes: Set<UInt64>, loop: EventLoop, started: (Int32) -> Void,
    onResult: @escaping (HolderWalkResult?) -> Void
  ) throws(SystemError) {
    walk = try HolderWalk.start(inodes: inodes)
    started(walk.pid)
    source = try loop.watch(walk.process.descriptor.number, priority: .normal) { [weak self] _ in
      guard let self else { return }
      switch self.walk.receive() {
      case .more: return
      case .finished(let result):
        self.source?.cancel()
        onResult(result)
      case .failed:
        self.source?.cancel()
        onResult(nil)
      }
    }
  }

  deinit { source?.cancel() }
}
