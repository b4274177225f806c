// A keeper whose daemon died, met at its door: what it says of itself, and what it hands over.

import CKeeper
import Glibc
import Supervisor

/// One keeper of a daemon before this one.
package final class Survivor {
  package let keeper: Keeper
  package let left: LeftGeneration
  /// What was remarkable about meeting it.
  package let remarks: [String]
  private let passed: [(kind: keeper_held, descriptor: KeeperWire.Passed)]

  init(
    _ keeper: Keeper, _ left: LeftGeneration, _ passed: [(kind: keeper_held, descriptor: KeeperWire.Passed)],
    remarks: [String]
  ) {
    (self.keeper, self.left, self.passed, self.remarks) = (keeper, left, passed, remarks)
  }

  /// Gives away the listeners that it held, by number, for others to examine and own.
  package func takeListeners() -> [CInt] {
    passed.filter { $0.kind == KEEPER_LISTENER }.compactMap { $0.descriptor.take()?.release() }
  }

  /// Gives away the socket for sd_notify(3) of the daemon that launched it.
  package func takeNotifySocket() -> FileDescriptor? { take(KEEPER_NOTIFY) }

  /// Gives away the reading end of the service's output.
  package func takeOutput() -> FileDescriptor? { take(KEEPER_OUTPUT) }

  /// Gives away the listening end of its filter for bind(2); calls that came meanwhile wait there.
  package func takeFilter() -> FileDescriptor? { take(KEEPER_FILTER) }

  private func take(_ kind: keeper_held) -> FileDescriptor? {
    passed.first { $0.kind == kind }?.descriptor.take()
  }
}

extension Survivor {
  /// A keeper answers within a millisecond; one that somebody stopped is continued first.
  package static let patience: Duration = .seconds(5)
  private static let pause: Duration = .milliseconds(5)

  /// Meets every keeper whose door is in the folder, and removes the doors that nobody is behind.
  ///
  /// For the start of the daemon, before anything is launched: it waits for their answers. Who does not answer is a
  /// survivor nevertheless: nothing of its service is launched before it ended.
  package static func meetAll(
    in folder: KeeperFolder, within patience: Duration = patience
  ) throws(SystemError) -> [Survivor] {
    let end = Clock.now() + patience
    var visits: [Visit] = []
    for name in try folder.doors() {
      if let visit = try knock(name, folder, until: end) { visits.append(visit) }
    }
    for visit in visits { visit.listen(until: end) }
    return visits.compactMap { $0.result(in: folder) }
  }

  /// nil when nobody is there.
  private static func knock(_ name: String, _ folder: KeeperFolder, until end: Instant) throws(SystemError)
    -> Visit?
  {
    while true {
      do throws(SystemError) {
        return try Visit(name, try folder.connect(to: name))
      } catch {
        switch error.code {
        case ECONNREFUSED, ENOENT:
          folder.remove(name)
          return nil
        // Others are at the door, and it is busy: once they are let in there is room.
        case EAGAIN where Clock.now() < end: Clock.pause(pause)
        default: throw error
        }
      }
    }
  }
}

/// One conversation, from the knock on the door to the end of the greeting.
private final class Visit {
  private let name: String
  private var connection: FileDescriptor?
  private let number: CInt
  private let peer: UnixStream.Peer
  private var sender: Int32?
  private var left: LeftGeneration?
  private var main: Keeper.MainProcess?
  private var passed: [(kind: keeper_held, descriptor: KeeperWire.Passed)] = []
  private var remarks: [String] = []

  init(_ name: String, _ connection: consuming FileDescriptor) throws(SystemError) {
    self.name = name
    number = connection.number
    peer = try UnixStream.peer(of: connection)
    self.connection = consume connection
  }

  /// Until it has said all, is gone, or the time is over.
  func listen(until end: Instant) {
    guard peer.uid == geteuid() else { return }
    resumeIfStopped()
    while true {
      while let received = KeeperWire.receive(from: number) {
        if take(received) == .complete { return }
      }
      var question = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      let wait = (end - Clock.now()).wholeNanoseconds / 1_000_000
      if poll(&question, 1, CInt(clamping: wait)) <= 0, errno != EINTR || wait == 0 { return }
      if question.revents & Int16(POLLHUP) != 0, question.revents & Int16(POLLIN) == 0 || hasEnded { return }
    }
  }

  /// Nothing is left to read: recv(2) of 0 bytes.
  private var hasEnded: Bool {
    var byte: UInt8 = 0
    return recv(number, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT)) == 0
  }

  private enum Progress { case more, complete }

  private func take(_ received: KeeperWire.Received) -> Progress {
    switch keeper_message_kind(rawValue: received.message.kind) {
    case KEEPER_HELLO:
      sender = received.sender
      guard let hello = received.hello, hello.version == KEEPER_PLAN_VERSION else {
        remarks.append("the keeper at \(name) is of another version of fdsupervisord; it is told to end")
        return .complete
      }
      left = LeftGeneration(hello)
      if let descriptor = received.descriptor?.take() {
        main = Keeper.MainProcess(PidFD(owning: descriptor, pid: hello.head.pid))
      }
    case KEEPER_HOLDS:
      if let descriptor = received.descriptor {
        passed.append((keeper_held(rawValue: UInt32(bitPattern: received.message.code)), descriptor))
      }
    case KEEPER_GREETED: return .complete
    default: break
    }
    return .more
  }

  /// listen(2) of the keeper made its own pid that of the peer, and the open connection proves that it still is; one
  /// that did not come as far as that shows the number of its daemon, which may be anybody's by now.
  private func resumeIfStopped() {
    guard let stat = ProcessTable.stat(of: peer.pid), stat.state == "T", stat.name == Keeper.processName
    else { return }
    do throws(SystemError) {
      let process = try PidFD.open(stat.identity)
      guard !KeeperWire.hasHungUp(number) else { return }
      _ = try process.send(SIGCONT)
      remarks.append("the keeper at \(name), pid \(peer.pid), was stopped; it is continued")
    } catch {
      remarks.append("\(error)")
    }
  }

  func result(in folder: KeeperFolder) -> Survivor? {
    guard peer.uid == geteuid(), let connection = connection.take() else { return nil }
    if left == nil, KeeperWire.hasHungUp(number) {
      folder.remove(name)
      return nil
    }
    guard let left = left ?? silent() else { return nil }
    let keeper = Keeper(
      takingOver: connection, pid: sender ?? 0, service: left.service, generation: left.generation,
      main: main,
      door: Keeper.Door(folder: folder, name: name))
    return Survivor(keeper, left, passed, remarks: remarks)
  }

  /// One that did not say who it is: its door does.
  private func silent() -> LeftGeneration? {
    guard let (service, generation) = KeeperFolder.parse(name) else { return nil }
    if remarks.isEmpty {
      remarks.append("the keeper at \(name) does not answer; it is told to end")
    }
    return LeftGeneration(service: service, generation: generation, intent: .ending)
  }
}

extension LeftGeneration {
  fileprivate init(_ hello: keeper_hello) {
    let service = withUnsafeBytes(of: hello.service) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    func has(_ flag: keeper_hello_flag) -> Bool { hello.flags & flag.rawValue != 0 }
    let isHeld = has(KEEPER_HOLDING) && !has(KEEPER_ENDING)
    self.init(service: service, generation: Int(clamping: hello.generation), intent: isHeld ? .held : .ending)
    pid = hello.head.pid
    fingerprint = hello.fingerprint
    if has(KEEPER_WAS_READY) { readiness = .ready }
    if has(KEEPER_MAIN_EXITED) { exit = ExitReason(code: hello.head.code, status: hello.head.status) }
  }
}
