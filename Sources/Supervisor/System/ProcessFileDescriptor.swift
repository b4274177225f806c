// The only way to signal a process: through a descriptor whose identity was checked.

import CLinux
import Glibc

/// A pidfd, pidfd_open(2): it means this one process, for ever, whatever becomes of its number.
package struct PidFD: ~Copyable, Sendable {
  package let descriptor: FileDescriptor
  package let pid: Int32

  /// Takes over a pidfd that came with the process itself (CLONE_PIDFD).
  package init(owning descriptor: consuming FileDescriptor, pid: Int32) {
    self.descriptor = descriptor
    self.pid = pid
  }

  /// Opens one for a process that was seen in /proc: first the pidfd, then the start time once more.
  ///
  /// Throws ESRCH when that process is gone, even if its number is in use again.
  package static func open(_ identity: ProcessIdentity) throws(SystemError) -> PidFD {
    let number = try retrying("open process", "\(identity.pid)") { cl_pidfd_open(identity.pid) }
    let descriptor = FileDescriptor(owning: number)
    guard ProcessTable.stat(of: identity.pid)?.startTime == identity.startTime else {
      throw SystemError("open process", "\(identity.pid)", code: ESRCH)
    }
    return PidFD(owning: descriptor, pid: identity.pid)
  }

  /// Whom a signal is for.
  package enum Scope { case process, processGroup }

  /// Sends a signal; false when the process is gone already.
  ///
  /// `processGroup` reaches the group that this process leads (pidfd_send_signal(2), Linux 6.9), even after
  /// it is dead: the group's number can't be anybody else's while the pidfd is open.
  package borrowing func send(_ signal: Int32, to scope: Scope = .process) throws(SystemError) -> Bool {
    let number = descriptor.number
    let flags = scope == .processGroup ? CL_PIDFD_PROCESS_GROUP : 0
    if cl_pidfd_send_signal(number, signal, flags) == 0 { return true }
    if errno == ESRCH { return false }
    throw SystemError("send \(SignalName.of(signal)) to process", "\(pid)")
  }
}
