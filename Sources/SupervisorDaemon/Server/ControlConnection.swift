// One client: its bytes in, its calls one after the other, its replies out, and the time that it may take.
// Which calls there are, it doesn't know.

import Glibc
import Supervisor

/// A connection to the control socket.
///
/// While a call is in progress nothing is read: what a client sends ahead waits in the kernel, and costs
/// the daemon nothing.
final class ControlConnection {
  /// Increasing: the smallest is the oldest.
  let id: UInt64
  let peer: UnixStream.Peer

  private let descriptor: FileDescriptor
  private let loop: EventLoop
  private let limits: ControlLimits
  private weak var owner: (any ControlConnectionOwner)?
  private var source: EventSource?
  private var splitter: MessageSplitter
  private var output = OutputQueue()
  private var current: ControlCall?
  private var ending = Ending.open
  private var deadline: Deadline?
  /// The continuation after `callsInARow`.
  private var turn: EventSource?
  private var isWorking = false

  /// What is known of the other end.
  private enum Ending {
    case open
    /// It sends nothing more, but may read on: shutdown(SHUT_WR), shutdown(2).
    case finishedSending
    /// It is gone, or must go.
    case gone
    case closed
  }

  private struct Deadline {
    var kind: Kind
    var timer: EventSource
    enum Kind { case halfMessage, unread }
  }

  init(
    id: UInt64, _ descriptor: consuming FileDescriptor, peer: UnixStream.Peer, loop: EventLoop,
    limits: ControlLimits, owner: any ControlConnectionOwner
  ) throws(SystemError) {
    self.id = id
    self.peer = peer
    self.descriptor = descriptor
    self.loop = loop
    self.limits = limits
    self.owner = owner
    splitter = MessageSplitter(limit: limits.messageBytes)
    source = try loop.watch(self.descriptor.number) { [weak self] in self?.ready($0) }
  }

  /// Goes on with a connection that another process handed over, from `takeUp()` on.
  init(
    restoring snapshot: Snapshot, loop: EventLoop, limits: ControlLimits, owner: any ControlConnectionOwner
  ) {
    id = snapshot.id
    peer = UnixStream.Peer(pid: snapshot.peerPID, uid: snapshot.peerUID)
    descriptor = FileDescriptor(owning: snapshot.descriptor)
    self.loop = loop
    self.limits = limits
    self.owner = owner
    splitter = MessageSplitter(limit: limits.messageBytes)
    splitter.append(snapshot.received.bytes)
    if !snapshot.unsent.bytes.isEmpty { output.append(snapshot.unsent.bytes) }
    if snapshot.hasFinishedSending { ending = .finishedSending }
    current = snapshot.call.flatMap { ControlCall(restoring: $0, peer: peer, connection: self) }
  }

  /// One connection at one moment, with the number of its descriptor.
  struct Snapshot: Hashable, Sendable, Codable {
    var id: UInt64
    var descriptor: CInt
    var peerPID: Int32
    var peerUID: UInt32
    var received: ExactBytes
    var unsent: ExactBytes
    var hasFinishedSending: Bool
    var call: ControlCall.Snapshot?
  }

  /// nil for a client that is gone.
  var snapshot: Snapshot? {
    guard isUsable else { return nil }
    return Snapshot(
      id: id, descriptor: descriptor.number, peerPID: peer.pid, peerUID: peer.uid,
      received: ExactBytes(splitter.rest), unsent: ExactBytes(output.bytes),
      hasFinishedSending: ending == .finishedSending, call: current?.snapshot)
  }

  /// Serves from here on, when it was restored; returns the call in progress.
  func takeUp() throws(SystemError) -> ControlCall? {
    source = try loop.watch(descriptor.number) { [weak self] in self?.ready($0) }
    return current
  }

  /// Begins what waited while nothing was to begin.
  func resume() {
    flush()
    work()
  }

  /// The call in progress.
  var call: ControlCall? { current }

  deinit { source?.cancel() }

  /// No call is in progress: closing it interrupts nothing.
  var isIdle: Bool { current == nil }

  private var isUsable: Bool { ending == .open || ending == .finishedSending }

  func carries(_ call: ControlCall) -> Bool { current === call }

  func hasRoom(for bytes: Int) -> Bool { output.count + bytes <= limits.outputBytes }

  /// Reads and begins what is there already: called once, right after accepting.
  func begin() { ready(.reading) }

  /// A call begins; the next one of this client waits for its end.
  func start(_ call: ControlCall) { current = call }

  /// Sends a message that is not the last of its call.
  func send(_ message: [UInt8]) {
    guard isUsable else { return }
    output.append(message)
    flush()
    // The caller is in the middle of something: what must end, ends in the loop's next round.
    if ending == .gone { shutdown(descriptor.number, CInt(SHUT_RDWR)) } else if !isWorking { settle() }
  }

  /// Ends the call in progress with its last message; nil for a call that wants none.
  func finish(_ call: ControlCall, with message: [UInt8]?) {
    guard current === call, ending != .closed else { return }
    current = nil
    if let message { output.append(message) }
    flush()
    work()
  }

  /// Disconnects a client that misbehaves, with a line in the log.
  ///
  /// It takes effect in the loop's next round, so that it may be called from anywhere.
  func abort(_ reason: String) {
    guard isUsable else { return }
    owner?.log("control client (pid \(peer.pid), uid \(peer.uid)) \(reason): disconnected")
    output.removeAll()
    ending = .gone
    // Now epoll reports a hang-up.
    shutdown(descriptor.number, CInt(SHUT_RDWR))
  }

  /// Ends the connection and tells the call in progress.
  func close() {
    guard ending != .closed else { return }
    ending = .closed
    source.take()?.cancel()
    turn.take()?.cancel()
    deadline.take()?.timer.cancel()
    output.removeAll()
    let call = current.take()
    owner?.connectionEnded(self)
    call?.clientLeft()
  }

  private func ready(_ interest: EventLoop.Interest) {
    if interest.contains(.writing) { flush() }
    let mayRead = current == nil && ending == .open
    if mayRead, !interest.isDisjoint(with: [.reading, .hungUp, .failed]) {
      read()
    } else if !interest.isDisjoint(with: [.hungUp, .failed]) {
      ending = ending == .closed ? .closed : .gone
    }
    work()
  }

  private func read() {
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    do throws(SystemError) {
      let got = try buffer.withUnsafeMutableBufferPointer { room throws(SystemError) in
        try descriptor.read(into: UnsafeMutableRawBufferPointer(room))
      }
      if got == 0 { ending = .finishedSending } else { splitter.append(buffer[..<got]) }
    } catch {
      if error.code != EAGAIN { ending = .gone }
    }
  }

  private func flush() {
    guard !output.isEmpty, isUsable else { return }
    switch output.send(to: descriptor) {
    case .broken:
      output.removeAll()
      ending = .gone
    case .some: rearmIfUnread()
    case .nothing: break
    }
    if output.isEmpty { current?.outputDrained() }
  }

  /// Begins calls as long as there are any, none is in progress, and the client reads.
  private func work() {
    guard !isWorking, ending != .closed else { return }
    isWorking = true
    var left = limits.callsInARow
    do throws(WireError) {
      while current == nil, turn == nil, isUsable, owner?.mayBeginCalls ?? false,
        output.count <= limits.outputBeforeNextCall
      {
        if left == 0 {
          yieldTurn()
          break
        }
        guard let message = try splitter.next() else { break }
        left -= 1
        owner?.connection(self, received: message)
      }
    } catch { abort("sent nonsense: \(error)") }
    isWorking = false
    settle()
  }

  /// Others come first; then this goes on.
  private func yieldTurn() {
    do throws(SystemError) {
      turn = try loop.soon { [weak self] in
        self?.turn = nil
        self?.work()
      }
    } catch { abort("cannot be served: \(error)") }
  }

  /// Brings what is watched, and the deadline, in line with the state.
  private func settle() {
    if ending == .gone { return close() }
    guard ending != .closed else { return }
    let isStalled = turn != nil || output.count > limits.outputBeforeNextCall
    let isHeld = !(owner?.mayBeginCalls ?? true)
    if ending == .finishedSending, current == nil, output.isEmpty, !isStalled, !isHeld { return close() }
    var interest: EventLoop.Interest = output.isEmpty ? [] : .writing
    if current == nil, ending == .open, !isStalled { interest.insert(.reading) }
    source?.setInterest(interest)
    setDeadline(isStalled: isStalled)
  }

  private func setDeadline(isStalled: Bool) {
    let wanted: Deadline.Kind?
    if !output.isEmpty {
      wanted = .unread
    } else {
      wanted = current == nil && !isStalled && splitter.isInMessage ? .halfMessage : nil
    }
    if deadline?.kind == wanted { return }
    deadline.take()?.timer.cancel()
    if let wanted { arm(wanted) }
  }

  private func rearmIfUnread() {
    // It reads, slowly: the time begins anew.
    if deadline?.kind == .unread { deadline.take()?.timer.cancel() }
  }

  private func arm(_ kind: Deadline.Kind) {
    let time = kind == .halfMessage ? limits.halfMessage : limits.unread
    do throws(SystemError) {
      let timer = try loop.timer(at: Clock.now() + time) { [weak self] in
        self?.abort(
          kind == .halfMessage ? "sent half a message in \(time.text)" : "read nothing for \(time.text)")
        self?.close()
      }
      deadline = Deadline(kind: kind, timer: timer)
    } catch { abort("cannot be served: \(error)") }
  }
}

/// Who a connection belongs to.
protocol ControlConnectionOwner: AnyObject {
  /// False while the daemon is being replaced.
  var mayBeginCalls: Bool { get }
  func connection(_ connection: ControlConnection, received message: [UInt8])
  func connectionEnded(_ connection: ControlConnection)
  func log(_ line: String)
}
