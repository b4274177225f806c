// The listening end of one generation's filter for bind(2) and listen(2): takes the calls, and answers them at once.

import CLinux
import Glibc
import Supervisor

/// Answers the bind(2) and listen(2) calls of one generation, seccomp_unotify(2).
///
/// Nothing here waits for the program: a call is read, answered, and forgotten. Who ends in the middle of one is
/// not missed.
package final class Interception {
  private let filter: FileDescriptor
  private let policy: WildcardBind
  private let listeners: () -> [Listener]
  private let onNote: (Note) -> Void
  private let discovery: Discovery?
  private let isInUse: (Listener) -> Bool
  private var ephemeral = EphemeralSockets()
  private var source: EventSource?

  /// For a service whose sockets are found by themselves.
  package struct Discovery {
    /// What was found before.
    var known: () -> [DiscoveredSocket]
    /// Takes over the socket that a process is about to listen on; nil leaves it to the kernel.
    var adopt: (consuming FileDescriptor, SocketAddress, pid_t) -> Listener?
    /// These are in the way of a bind: they are to be closed now.
    var giveUp: ([DiscoveredSocket]) -> Void
    /// A bind to an address that nobody of us has.
    var onForeign: (SocketAddress, pid_t) -> Void
  }

  /// What the log may want to say.
  package enum Note: Hashable, Sendable {
    /// A process got a listener.
    case replaced(pid: Int32, socket: String, address: SocketAddress)
    /// A process called listen(2) for a listener.
    case listening(pid: Int32, socket: String)
    /// The listener had to be mended first: one line.
    case repaired(String)
    /// A bind that covers a listener's address, and fails because of it.
    case covered(pid: Int32, wanted: SocketAddress, socket: String, address: SocketAddress)
    /// A bind could not be looked into, or not be answered as it should: one line.
    case failed(pid: Int32, String)
    /// A process set up io_uring(7), by which it could bind unseen.
    case ring(pid: Int32)
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

  /// Its generation is over, and who has the filter lives on: an owned address is taken for it.
  package var isRetired = false

  /// So many calls are answered in one go.
  private static let callsPerWakeUp = 16

  /// - Parameters:
  ///   - filter: from `SECCOMP_FILTER_FLAG_NEW_LISTENER`.
  ///   - listeners: those of the service, asked for at each call: a repair may change them.
  ///   - isInUse: whether a process of the service has a listener already, and counts on it as it is.
  package init(
    owning filter: consuming FileDescriptor, loop: EventLoop, policy: WildcardBind,
    listeners: @escaping () -> [Listener], isInUse: @escaping (Listener) -> Bool, discovery: Discovery? = nil,
    onNote: @escaping (Note) -> Void
  ) throws(SystemError) {
    self.filter = filter
    self.policy = policy
    self.listeners = listeners
    self.onNote = onNote
    self.discovery = discovery
    self.isInUse = isInUse
    cl_calls_take_turns(self.filter.number)
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
      var call = cl_socket_call()
      guard cl_call_receive(filter.number, &call) == 1 else { return }
      answer(call)
      if !isReadable { return }
    }
  }

  /// Receiving waits when there is nothing to receive.
  private var isReadable: Bool {
    var question = pollfd(fd: filter.number, events: Int16(POLLIN), revents: 0)
    return poll(&question, 1, 0) == 1 && question.revents & Int16(POLLIN) != 0
  }

  private func answer(_ call: cl_socket_call) {
    do throws(SystemError) {
      switch cl_call_kind(rawValue: call.kind) {
      case CL_CALL_BIND: try answerBind(call)
      case CL_CALL_LISTEN: try answerListen(call)
      default:
        onNote(.ring(pid: call.thread))
        pass(call)
      }
    } catch {
      onNote(.failed(pid: call.thread, error.description))
      pass(call)
    }
  }

  private func answerBind(_ call: cl_socket_call) throws(SystemError) {
    let known = discovery?.known() ?? []
    let open = listeners().filter(\.isOpen)
    let configured = open.filter { listener in !known.contains { $0.name == listener.socket } }
    let wanted = try BindRequest(call) { raw in
      discovery != nil ? raw.isOfListener : configured.contains { raw.mayMean($0.address) }
    }
    guard let wanted else { return pass(call) }
    // What was read is the caller's own only if it still waits: else its numbers may be somebody else's by now.
    guard cl_call_is_pending(filter.number, call.id) == 1 else { return }
    switch BindMatch.of(wanted.address, among: configured.map(\.address), policy: policy) {
    case .untouched: try answerDiscoverable(call, wanted, known, open)
    case .wildcard(let index):
      let listener = configured[index]
      onNote(
        .covered(
          pid: call.thread, wanted: wanted.address, socket: listener.socket, address: listener.address))
      pass(call)
    case .listener where isRetired: _ = cl_call_answer(filter.number, call.id, EADDRINUSE)
    case .listener(let index): try replace(call, wanted, by: configured[index])
    }
  }

  /// A bind that means none of the sockets of the configuration.
  private func answerDiscoverable(
    _ call: cl_socket_call, _ wanted: BindRequest, _ known: [DiscoveredSocket], _ open: [Listener]
  ) throws(SystemError) {
    guard let discovery, !isRetired else { return pass(call) }
    switch DiscoveryMatch.of(wanted.address, isV6Only: wanted.isV6Only, among: known) {
    case .socket(let index):
      if let listener = open.first(where: { $0.socket == known[index].name }) {
        return try replace(call, wanted, by: listener)
      }
    case .outdated(let indices): discovery.giveUp(indices.map { known[$0] })
    case .untouched: if wanted.address.port != 0 { discovery.onForeign(wanted.address, call.thread) }
    }
    ephemeral.noteBind(of: wanted.inode, port: wanted.address.port)
    pass(call)
  }

  /// The length of the queue belongs to the open file, which is shared: the program's wish would be that of all.
  ///
  /// So the daemon listens in its place. That also revives one that the program has shut down before.
  private func answerListen(_ call: cl_socket_call) throws(SystemError) {
    guard let socket = try CallerSocket.of(call) else { return pass(call) }
    guard cl_call_is_pending(filter.number, call.id) == 1 else { return }
    let listeners = listeners().filter(\.isOpen)
    guard let listener = listeners.first(where: { $0.inode == socket.inode }) else {
      return try discover(socket, call, listeners)
    }
    if listener.address.accepts { answerListen(call, on: listener) } else { pass(call) }
  }

  private func answerListen(_ call: cl_socket_call, on listener: Listener) {
    if let remark = listener.listen() {
      onNote(.repaired(remark))
      return pass(call)
    }
    _ = cl_call_answer(filter.number, call.id, 0)
    onNote(.listening(pid: call.thread, socket: listener.socket))
  }

  /// Whether it becomes one of ours, a TCP or Unix listener at an address that the program chose.
  private func discover(
    _ socket: consuming CallerSocket, _ call: cl_socket_call, _ listeners: [Listener]
  ) throws(SystemError) {
    guard let discovery, !isRetired, !ephemeral.contains(socket.inode), let bound = socket.address,
      bound.isDiscoverable
    else { return pass(call) }
    let address = bound.absolute(forThread: call.thread)
    let known = discovery.known()
    let match = DiscoveryMatch.of(address, isV6Only: socket.isV6Only, among: known)
    // Bound before a sibling's listen(2) made the address ours, as workers with SO_REUSEPORT do.
    if case .socket(let index) = match, let twin = listeners.first(where: { $0.socket == known[index].name })
    {
      try put(twin, inPlaceOf: call, isNonBlocking: socket.isNonBlocking)
      return answerListen(call, on: twin)
    }
    guard let listener = discovery.adopt(socket.release(), address, call.thread) else { return pass(call) }
    answerListen(call, on: listener)
  }

  private func pass(_ call: cl_socket_call) { _ = cl_call_continue(filter.number, call.id) }

  private func replace(_ call: cl_socket_call, _ wanted: BindRequest, by listener: Listener)
    throws(SystemError)
  {
    // Whoever binds a path removes first what is there.
    if listener.address.path != nil {
      let damage = listener.inspect().filter { $0 == .pathGone || $0 == .pathReplaced }
      if !damage.isEmpty { for remark in listener.repair(damage) { onNote(.repaired(remark)) } }
      guard listener.isOpen else { return pass(call) }
    }
    guard try put(listener, inPlaceOf: call, isNonBlocking: wanted.isNonBlocking) == .there else { return }
    _ = cl_call_answer(filter.number, call.id, 0)
    onNote(.replaced(pid: call.thread, socket: listener.socket, address: listener.address))
  }

  private enum Replacement { case there, callerIsGone }

  @discardableResult private func put(
    _ listener: Listener, inPlaceOf call: cl_socket_call, isNonBlocking: Bool
  ) throws(SystemError) -> Replacement {
    adopt(isNonBlocking, for: listener)
    if cl_call_replace(filter.number, call.id, listener.number, call.descriptor) == 0 { return .there }
    if errno == ENOENT { return .callerIsGone }
    throw SystemError("hand over socket \"\(listener.socket)\" to process", "\(call.thread)")
  }

  /// O_NONBLOCK belongs to the open file, which is shared; the program asked for it, or not, on its own.
  ///
  /// Most make their socket non-blocking after its bind. So a second worker's bind must not take that from the
  /// first, who would sleep in accept(2) when somebody else got the connection, with all that it had begun.
  private func adopt(_ isNonBlocking: Bool, for listener: Listener) {
    let flags = cl_fcntl(listener.number, F_GETFL, 0)
    let wish = isNonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
    if wish == flags || !isNonBlocking && isInUse(listener) { return }
    _ = cl_fcntl(listener.number, F_SETFL, Int(wish))
  }
}

extension SocketAddress {
  /// Connections come to it, and it has a name that a later program can bind again.
  fileprivate var isDiscoverable: Bool {
    switch self {
    case .tcp(_, let port): port != 0
    case .unix(.stream, let name): name != .abstract("")
    case .udp, .unix: false
    }
  }
}
