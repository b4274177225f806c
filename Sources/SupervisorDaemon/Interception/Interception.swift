// The listening end of one generation's filter for bind(2): takes the calls, and answers them at once.

import CLinux
import Glibc
import Supervisor

/// Answers the bind(2) calls of one generation, seccomp_unotify(2).
///
/// Nothing here waits for the program: a call is read, answered, and forgotten. Who ends in the middle of one is
/// not missed.
package final class Interception {
  private let filter: FileDescriptor
  private let policy: WildcardBind
  private let listeners: () -> [Listener]
  private let onNote: (Note) -> Void
  private var source: EventSource?

  /// What the log may want to say.
  package enum Note: Hashable, Sendable {
    /// A process got a listener.
    case replaced(pid: Int32, socket: String, address: SocketAddress)
    /// The listener had to be mended first: one line.
    case repaired(String)
    /// A bind that covers a listener's address, and fails because of it.
    case covered(pid: Int32, wanted: SocketAddress, socket: String, address: SocketAddress)
    /// A bind could not be looked into, or not be answered as it should: one line.
    case failed(pid: Int32, String)
  }

  /// What helps when a filter can't be installed, seccomp(2): the end of a sentence, or nothing.
  package static func remedy(for error: Int32) -> String {
    switch error {
    case EACCES: "; it needs CAP_SYS_ADMIN, or no_new_privileges = true"
    case EBUSY: "; whoever started the daemon intercepts already, and there can be one only"
    case EINVAL, ENOSYS: "; it needs Linux 5.9 with CONFIG_SECCOMP_FILTER"
    default: ""
    }
  }

  /// So many calls are answered in one go.
  private static let callsPerWakeUp = 16

  /// - Parameters:
  ///   - filter: from `SECCOMP_FILTER_FLAG_NEW_LISTENER`.
  ///   - listeners: those of the service, asked for at each call: a repair may change them.
  package init(
    owning filter: consuming FileDescriptor, loop: EventLoop, policy: WildcardBind,
    listeners: @escaping () -> [Listener], onNote: @escaping (Note) -> Void
  ) throws(SystemError) {
    self.filter = filter
    self.policy = policy
    self.listeners = listeners
    self.onNote = onNote
    source = try loop.watch(self.filter.number, priority: .processes) { [weak self] events in
      self?.answer(events)
    }
  }

  deinit { source?.cancel() }

  /// The listening end, for who takes over from this process.
  package var number: CInt { filter.number }

  private func answer(_ events: EventLoop.Interest) {
    // Nobody is left who has the filter.
    if events.contains(.hungUp) { source?.cancel() }
    guard events.contains(.reading) else { return }
    for _ in 0..<Self.callsPerWakeUp {
      var call = cl_bind_call()
      guard cl_bind_receive(filter.number, &call) == 1 else { return }
      answer(call)
      if !isReadable { return }
    }
  }

  /// Receiving waits when there is nothing to receive.
  private var isReadable: Bool {
    var question = pollfd(fd: filter.number, events: Int16(POLLIN), revents: 0)
    return poll(&question, 1, 0) == 1 && question.revents & Int16(POLLIN) != 0
  }

  private func answer(_ call: cl_bind_call) {
    let listeners = listeners().filter(\.isOpen)
    do throws(SystemError) {
      guard let wanted = try BindRequest(call, among: listeners.map(\.address)) else { return pass(call) }
      // What was read is the caller's own only if it still waits: else its numbers may be somebody else's by now.
      guard cl_bind_is_pending(filter.number, call.id) == 1 else { return }
      switch BindMatch.of(wanted.address, among: listeners.map(\.address), policy: policy) {
      case .untouched: pass(call)
      case .wildcard(let index):
        let listener = listeners[index]
        onNote(
          .covered(
            pid: call.thread, wanted: wanted.address, socket: listener.socket, address: listener.address))
        pass(call)
      case .listener(let index): try replace(call, wanted, by: listeners[index])
      }
    } catch {
      onNote(.failed(pid: call.thread, error.description))
      pass(call)
    }
  }

  private func pass(_ call: cl_bind_call) { _ = cl_bind_continue(filter.number, call.id) }

  private func replace(_ call: cl_bind_call, _ wanted: BindRequest, by listener: Listener) throws(SystemError)
  {
    // Whoever binds a path removes first what is there.
    if listener.address.path != nil {
      let damage = listener.inspect().filter { $0 == .pathGone || $0 == .pathReplaced }
      if !damage.isEmpty { for remark in listener.repair(damage) { onNote(.repaired(remark)) } }
      guard listener.isOpen else { return pass(call) }
    }
    // The program asked for it on its own description; ours was made blocking before the launch.
    let flags = cl_fcntl(listener.number, F_GETFL, 0)
    let wish = wanted.isNonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
    if wish != flags { _ = cl_fcntl(listener.number, F_SETFL, Int(wish)) }
    if cl_bind_replace(filter.number, call.id, listener.number, call.descriptor) == -1 {
      if errno == ENOENT { return }
      throw SystemError("hand over socket \"\(listener.socket)\" to process", "\(call.thread)")
    }
    _ = cl_bind_answer(filter.number, call.id, 0)
    onNote(.replaced(pid: call.thread, socket: listener.socket, address: listener.address))
  }
}
