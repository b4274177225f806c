// Answers for a program that is down: takes connections from its listeners, and gives each the failure page.

import CLinux
import Glibc
import Supervisor

/// Accepts on listeners while nobody else does.
///
/// Between `resume()` and `pause()` only: then the program is gone, and no descendant of it has the listeners.
final class FailureServer {
  private let loop: EventLoop
  private let listeners: () -> [Listener]
  private let page: () -> FailurePage
  private var watches: [EventSource] = []
  private var changed: [(listener: Listener, flags: CInt)] = []
  private var connections: [CInt: Connection] = [:]

  /// So many at a time; others wait in the backlog.
  private static let limit = 64
  /// For the request, and then for the client to read the answer.
  private static let patience: Duration = .seconds(5)

  init(
    loop: EventLoop, listeners: @escaping () -> [Listener], page: @escaping () -> FailurePage
  ) {
    (self.loop, self.listeners, self.page) = (loop, listeners, page)
  }

  deinit { pause() }

  /// Answers from here on.
  func resume() throws(SystemError) {
    guard watches.isEmpty else { return }
    for listener in listeners() where listener.isOpen && listener.address.accepts {
      let flags = cl_fcntl(listener.number, F_GETFL, 0)
      _ = cl_fcntl(listener.number, F_SETFL, Int(flags | O_NONBLOCK))
      changed.append((listener, flags))
      watches.append(
        try loop.watch(listener.number) { [weak self, weak listener] _ in
          if let listener { self?.accept(on: listener) }
        })
    }
  }

  /// Whoever connects from here on waits for the program; who was accepted is answered now.
  func pause() {
    for watch in watches { watch.cancel() }
    watches = []
    for (listener, flags) in changed where listener.isOpen {
      _ = cl_fcntl(listener.number, F_SETFL, Int(flags))
    }
    changed = []
    for connection in connections.values { connection.answerNow() }
  }

  private func accept(on listener: Listener) {
    while connections.count < Self.limit {
      let number = cl_accept(listener.number)
      guard number >= 0 else { return }
      do throws(SystemError) {
        connections[number] = try Connection(
          FileDescriptor(owning: number), loop: loop, patience: Self.patience, page: page
        ) { [weak self] in self?.ended(number) }
      } catch {
        continue  // the descriptor is closed: the client tries again
      }
    }
    for watch in watches { watch.setEnabled(.off) }
  }

  private func ended(_ number: CInt) {
    connections[number] = nil
    for watch in watches { watch.setEnabled(.on) }
  }

  /// One client: its request, the answer, and the wait until it has read it.
  private final class Connection {
    private let descriptor: FileDescriptor
    private let page: () -> FailurePage
    private let onEnd: () -> Void
    private var source: EventSource?
    private var timer: EventSource?
    private var request: [UInt8] = []
    private var isAnswered = false

    init(
      _ descriptor: consuming FileDescriptor, loop: EventLoop, patience: Duration,
      page: @escaping () -> FailurePage, onEnd: @escaping () -> Void
    ) throws(SystemError) {
      self.descriptor = descriptor
      (self.page, self.onEnd) = (page, onEnd)
      source = try loop.watch(self.descriptor.number) { [weak self] _ in self?.read() }
      timer = try loop.timer(at: Clock.now() + patience) { [weak self] in self?.end() }
    }

    deinit { source?.cancel() }

    /// Takes what there is; after the answer it is thrown away, so that the close does not reset the connection
    /// before the client has read (RFC 9112 section 9.6).
    private func read() {
      var buffer = [UInt8](repeating: 0, count: FailurePage.longestRequest)
      let count = recv(descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
      if count == -1, errno == EAGAIN || errno == EINTR { return }
      guard count > 0 else { return end() }
      if isAnswered { return }
      request += buffer.prefix(count)
      switch FailurePage.request(request) {
      case .incomplete: break
      case .page(let form): answer(form)
      case .notHTTP: end()
      }
    }

    /// The program is wanted again: one that has asked already gets its page, one that has not is closed.
    func answerNow() {
      read()
      if !isAnswered, source != nil { end() }
    }

    private func answer(_ form: FailurePage.Form) {
      isAnswered = true
      let bytes = page().response(form)
      // An answer of a few kilobytes fits into the buffer of a new connection.
      _ = send(descriptor.number, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
      _ = shutdown(descriptor.number, Int32(SHUT_WR))
    }

    private func end() {
      source?.cancel()
      source = nil
      timer = nil
      onEnd()
    }
  }
}
