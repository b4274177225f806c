// Who holds a socket: the walk over the descriptors of processes. What a descriptor means is SocketTable's.

import CLinux
import Glibc

/// A process with a descriptor of a wanted socket.
package struct HolderEntry: Hashable, Sendable {
  package var pid: Int32
  /// The descriptor; that of the ring when the socket is registered with an io_uring.
  package var fd: Int32
  package var inode: UInt64
  /// The thread in whose own table it is (unshare(2) CLONE_FILES); nil for the table of the process.
  package var thread: Int32?
  /// Registered with an io_uring, which keeps it open without a descriptor.
  package var isRegistered: Bool

  package init(pid: Int32, fd: Int32, inode: UInt64, thread: Int32? = nil, isRegistered: Bool = false) {
    self.pid = pid
    self.fd = fd
    self.inode = inode
    self.thread = thread
    self.isRegistered = isRegistered
  }
}

/// What a walk found.
package struct HolderWalkResult: Hashable, Sendable {
  /// Ordered by pid, then by descriptor.
  package var holders: [HolderEntry]
  /// Processes whose descriptors could not be read, at least in part: what they hold is unknown, not nothing.
  package var unreadable: Int
  /// There were more holders than the walk keeps (65,536).
  package var isTruncated: Bool

  package init(holders: [HolderEntry], unreadable: Int = 0, isTruncated: Bool = false) {
    self.holders = holders
    self.unreadable = unreadable
    self.isTruncated = isTruncated
  }
}

package enum HolderWalk {
  /// Whose descriptors are read.
  package enum Scope: Hashable, Sendable {
    /// These processes: microseconds for the tree of a service, whatever else runs.
    case processes([Int32])
    /// Every process that this /proc shows: 40 ms for 100 × 100 descriptors, so never on the daemon's loop.
    case machine
  }

  /// Helpers beside the caller; more fight for the kernel's locks.
  private static let mostHelpers = 3

  /// Walks now and returns when it is done.
  ///
  /// `.machine` forks helpers where there are processors for them.
  package static func run(inodes: some Sequence<UInt64>, in scope: Scope) throws(SystemError)
    -> HolderWalkResult
  {
    let wanted = Array(inodes)
    if wanted.isEmpty || scope == .processes([]) { return HolderWalkResult(holders: []) }
    let helpers = scope == .machine ? min(mostHelpers, max(0, sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1)) : 0
    if let result = try attempt(wanted, scope, helpers: Int32(helpers)) { return result }
    // A helper was killed and its share is lost: once more without.
    if let result = try attempt(wanted, scope, helpers: 0) { return result }
    throw SystemError("walk over", "/proc", code: EIO)
  }

  /// Begins a walk over the whole machine in a process of its own, which no loop waits for.
  package static func start(inodes: some Sequence<UInt64>) throws(SystemError) -> RunningWalk {
    try RunningWalk(try WalkMemory(inodes: Array(inodes), scope: .machine))
  }

  private static func attempt(
    _ inodes: [UInt64], _ scope: Scope, helpers: Int32
  ) throws(SystemError) -> HolderWalkResult? {
    let memory = try WalkMemory(inodes: inodes, scope: scope)
    if cl_walk_run(memory.walk, helpers) == -1 { throw SystemError("walk over", "/proc") }
    return memory.result
  }
}

/// The memory that a walk shares with those who do it.
final class WalkMemory {
  let walk: OpaquePointer

  init(inodes: [UInt64], scope: HolderWalk.Scope) throws(SystemError) {
    let sorted = inodes.sorted()
    let created =
      switch scope {
      case .machine: cl_walk_create(sorted, sorted.count, nil, 0)
      case .processes(let pids): cl_walk_create(sorted, sorted.count, pids, pids.count)
      }
    guard let created else { throw SystemError("prepare", "a walk over /proc") }
    walk = created
  }

  deinit { cl_walk_destroy(walk) }

  /// nil until every share is done.
  var result: HolderWalkResult? {
    guard cl_walk_complete(walk) else { return nil }
    let holders = (0..<cl_walk_count(walk)).map { index in
      let found = cl_walk_holder(walk, index)
      return HolderEntry(
        pid: found.pid, fd: found.fd, inode: found.inode, thread: found.thread == 0 ? nil : found.thread,
        isRegistered: found.registered != 0)
    }
    return HolderWalkResult(
      holders: holders.sorted { ($0.pid, $0.fd) < ($1.pid, $1.fd) },
      unreadable: Int(cl_walk_unreadable(walk)),
      isTruncated: cl_walk_truncated(walk))
  }
}
