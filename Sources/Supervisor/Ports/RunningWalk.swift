// A walk over the whole machine, in a process of its own, beside the daemon's loop.

import CLinux
import Glibc

/// A walk that is under way.
///
/// Watch `process` for its exit (EPOLLIN), then `receive()`. Its process is a child of the caller, who reaps
/// it. When the owner goes, the walk ends.
package final class RunningWalk {
  package enum Progress: Hashable, Sendable {
    case more
    case finished(HolderWalkResult)
    /// It ended before it was done: who holds the sockets is unknown.
    case failed
  }

  /// The pidfd becomes readable when the walk is over.
  package let process: PidFD
  private let memory: WalkMemory

  package var pid: Int32 { process.pid }

  init(_ memory: WalkMemory) throws(SystemError) {
    let pid = try retrying("start a walk over", "/proc") { cl_walk_start(memory.walk) }
    // Nobody else reaps between these two calls: the number still is our child's.
    let number = try retrying("open process", "\(pid)") { cl_pidfd_open(pid) }
    self.process = PidFD(owning: FileDescriptor(owning: number), pid: pid)
    self.memory = memory
  }

  deinit {
    // Its results have no reader any more. A failure means that it is gone, or ends by itself soon.
    do throws(SystemError) { _ = try process.send(SIGKILL) } catch {}
  }

  /// What there is by now; never waits.
  package func receive() -> Progress {
    var watched = pollfd(fd: process.descriptor.number, events: Int16(POLLIN), revents: 0)
    let isOver = poll(&watched, 1, 0) == 1
    if let result = memory.result { return .finished(result) }
    return isOver ? .failed : .more
  }
}
