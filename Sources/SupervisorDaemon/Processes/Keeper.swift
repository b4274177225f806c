// The daemon's end of one keeper: launch it, hear what it says. It decides nothing.

import CKeeper
import CLinux
import Glibc
import Supervisor

/// One keeper and, once it runs, the main process below it.
package final class Keeper {
  /// 0 for one that was taken over and did not say who it is.
  package let pid: Int32
  package let generation: Int
  package let request: LaunchRequest
  /// The connection to the keeper, for the event loop.
  package var connection: CInt { control.number }
  /// The main process, from `started` on.
  ///
  /// Kept after its death: its process group is signalled through it.
  package private(set) var main: MainProcess?

  /// Why the main process is not in the cgroup it was meant for (errno of clone3(2)); nil when it is, or none was.
  package private(set) var cgroupRefusal: Int32?
  /// Whether the daemon launched it, and hears of its end by SIGCHLD.
  ///
  /// One that was taken over from a daemon before this one tells of its end by its last word, `emptied`, and by
  /// the end of its connection, of which it has the only other end.
  package let isChild: Bool
  /// It said that nobody is left below it.
  package private(set) var hasEmptied = false

  private let control: FileDescriptor
  private var filter: FileDescriptor?
  /// Where the next daemon finds it; nil when it is not to be found.
  private let door: Door?

  /// A keeper's place in the folder of doors.
  struct Door {
    let folder: KeeperFolder
    let name: String
  }

  /// What a keeper gets beside what its main process gets.
  package struct Belongings {
    /// Where it gets its door.
    package var folder: KeeperFolder
    /// What it holds for the next daemon: the notify socket, the reading end of the output.
    package var notify: CInt?
    package var output: CInt?
    /// Listeners that the main process gets as standard streams, or when it binds.
    package var listeners: [CInt] = []

    package init(folder: KeeperFolder) { self.folder = folder }
  }

  /// The pidfd of a main process, in a box, because owners can't be copied.
  package final class MainProcess {
    package let pidfd: PidFD
    init(_ pidfd: consuming PidFD) { self.pidfd = pidfd }

    package init(restoring snapshot: Snapshot) {
      pidfd = PidFD(owning: FileDescriptor(owning: snapshot.descriptor), pid: snapshot.pid)
    }

    package struct Snapshot: Hashable, Sendable, Codable {
      package var pid: Int32
      package var descriptor: CInt
    }

    package var snapshot: Snapshot { Snapshot(pid: pidfd.pid, descriptor: pidfd.descriptor.number) }
    /// Its number, which is nobody else's while it lives; nil when it is dead.
    package var livingPID: Int32? {
      var question = pollfd(fd: pidfd.descriptor.number, events: Int16(POLLIN), revents: 0)
      // Readable once it is dead, pidfd_open(2).
      return poll(&question, 1, 0) == 0 ? pidfd.pid : nil
    }
  }

  /// Goes on with the keeper that another process handed over; the pid of a child is still that of a child.
  package init(restoring snapshot: Snapshot, in folder: KeeperFolder) {
    isChild = snapshot.isChild
    hasEmptied = snapshot.hasEmptied
    door = snapshot.door.map { Door(folder: folder, name: $0) }
    pid = snapshot.pid
    generation = snapshot.generation
    request = snapshot.request
    control = FileDescriptor(owning: snapshot.connection)
    main = snapshot.main.map { MainProcess(restoring: $0) }
  }

  /// One keeper at one moment, with the numbers of its descriptors.
  package struct Snapshot: Hashable, Sendable, Codable {
    package var pid: Int32
    package var generation: Int
    package var request: LaunchRequest
    package var connection: CInt
    package var main: MainProcess.Snapshot?
    package var isChild: Bool
    package var hasEmptied: Bool
    /// The name of its door.
    package var door: String?
  }

  package var snapshot: Snapshot {
    var request = request
    if main != nil { request.forgetPlan() }
    return Snapshot(
      pid: pid, generation: generation, request: request, connection: connection, main: main?.snapshot,
      isChild: isChild, hasEmptied: hasEmptied, door: door?.name)
  }

  /// How long a message is, in bytes: keepers that run speak as they did when they were executed.
  package static let wireVersion = KEEPER_PLAN_VERSION
  package static let messageSize = MemoryLayout<keeper_message>.size

  package enum Message: Hashable, Sendable {
    case started(pid: Int32)
    case failed(step: Int32, error: Int32)
    case exited(ExitReason)
    /// The filter for bind(2) is there, `takeFilter()`; or why it is not, an errno.
    case intercepts(error: Int32)
    /// Nobody is left below it.
    case emptied
  }

  /// Executes a keeper, which executes the program.
  ///
  /// Returns as soon as the keeper runs.
  ///
  /// - Parameters:
  ///   - descriptors: what the main process gets as 0, 1, 2, 3 …
  ///   - belongings: nil for one that no other daemon is to find.
  ///   - cgroup: the directory of the cgroup that the main process is created in; nil: that of the keeper.
  package init(
    program: String, request: LaunchRequest, descriptors: [CInt], belongings: Belongings? = nil,
    cgroup: CInt? = nil
  ) throws(SystemError) {
    var ends: (CInt, CInt) = (-1, -1)
    let made = withUnsafeMutableBytes(of: &ends) {
      socketpair(
        AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0,
        $0.bindMemory(to: CInt.self).baseAddress)
    }
    if made == -1 { throw SystemError("create a socket pair") }
    let ours = FileDescriptor(owning: ends.0)
    let theirs = FileDescriptor(owning: ends.1)
    let door = belongings.map {
      Door(
        folder: $0.folder, name: KeeperFolder.name(service: request.service, generation: request.generation))
    }
    let opening = try door?.open()
    let own = KeeperDescriptors(
      cgroup: cgroup, door: opening?.descriptor.number, notify: belongings?.notify,
      output: belongings?.output,
      listeners: belongings?.listeners ?? [])
    let first = descriptors.count + 2
    let plan = try LaunchPlan(
      request, firstUnusedDescriptor: descriptors.count, own: own.numbered(from: first)
    ).file()
    let numbers = descriptors + [theirs.number, plan.number] + own.all
    var pid: pid_t = 0
    let title = "\(request.service)/\(request.generation)"
    let arguments = ["fdsupervisor-keeper", title, String(descriptors.count), String(descriptors.count + 1)]
    let error = withCStringArray(arguments) { cl_spawn(program, $0, numbers, Int32(numbers.count), &pid) }
    withExtendedLifetime(opening) {}
    if error != 0 {
      door?.remove()
      throw SystemError("execute", program, code: error)
    }
    self.door = door
    isChild = true
    self.pid = pid
    self.generation = request.generation
    self.request = request
    self.control = ours
  }

  /// What /proc calls a keeper: its program, up to 15 bytes (proc(5), comm).
  static let processName = "fdsupervisor-ke"

  /// Whether `pid` is its own: that of a child is until it is reaped, that of another while its connection is open.
  package var isItself: Bool { isChild || !KeeperWire.hasHungUp(control.number) }

  /// Asks the keeper to end everybody below it by itself: SIGTERM, then SIGKILL after `stray_timeout`.
  ///
  /// It goes on reporting. It needs neither descriptors nor what /proc shows to others, which the daemon may lack.
  package func sweep() { say(KEEPER_END) }

  /// Has the keeper remember that the service is ready, for a daemon that comes after this one.
  package func noteReady() { say(KEEPER_IS_READY) }

  private func say(_ kind: keeper_message_kind) {
    var message = keeper_message()
    message.kind = kind.rawValue
    // It is gone, or its queue is full of the same: nothing is lost.
    withUnsafeBytes(of: message) {
      _ = send(control.number, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
    }
  }

  /// It ended: its place in the folder of doors is free.
  package func removeDoor() { door?.remove() }

  /// The listening end of the filter for bind(2), once.
  package func takeFilter() -> FileDescriptor? { filter.take() }

  /// Continues a keeper that somebody stopped: it could not reap, and nobody would hear of its main process.
  package func resume() throws(SystemError) {
    // Whatever its state: a SIGSTOP may be on its way, and SIGCONT undoes that, too.
    guard let identity = ProcessTable.stat(of: pid)?.identity else { return }
    let process = try PidFD.open(identity)
    guard isItself else { return }
    _ = try process.send(SIGCONT)
  }

  /// The pidfd did not come along (no descriptor was left on either side): it is opened by number.
  ///
  /// nil when it is gone already, or not the keeper's.
  private static func open(_ pid: Int32, childOf keeper: Int32) -> MainProcess? {
    guard let stat = ProcessTable.stat(of: pid), stat.parent == keeper else { return nil }
    do throws(SystemError) { return MainProcess(try PidFD.open(stat.identity)) } catch { return nil }
  }

  /// Goes on with the keeper of a dead daemon; what it is and has was read from its greeting.
  init(
    takingOver control: consuming FileDescriptor, pid: Int32, service: String, generation: Int,
    main: MainProcess?,
    door: Door
  ) {
    self.control = control
    self.pid = pid
    self.generation = generation
    self.main = main
    self.door = door
    isChild = false
    request = LaunchRequest(
      service: service, generation: generation, arguments: [], environment: [], programs: [])
  }

  /// The next message; nil when there is none now, or none any more.
  ///
  /// Never blocks.
  package func receive() -> Message? {
    while let received = KeeperWire.receive(from: control.number) {
      if let message = take(received) { return message }
    }
    return nil
  }

  /// nil for what a late greeting says: its sender is to end in any case.
  private func take(_ received: KeeperWire.Received) -> Message? {
    let message = received.message
    switch keeper_message_kind(rawValue: message.kind) {
    case KEEPER_STARTED:
      if message.error != 0 { cgroupRefusal = message.error }
      if let descriptor = received.descriptor?.take() {
        main = MainProcess(PidFD(owning: descriptor, pid: message.pid))
      } else {
        main = Self.open(message.pid, childOf: pid)
      }
      return .started(pid: message.pid)
    case KEEPER_FAILED: return .failed(step: message.step, error: message.error)
    case KEEPER_EXITED: return .exited(ExitReason(code: message.code, status: message.status))
    case KEEPER_INTERCEPTS:
      filter = received.descriptor?.take()
      return .intercepts(error: message.error)
    case KEEPER_EMPTY:
      hasEmptied = true
      return .emptied
    default: return nil
    }
  }
}

extension Keeper.Door {
  /// Keeps the socket while a keeper is executed with it.
  final class Opening {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
  }

  func open() throws(SystemError) -> Opening { Opening(try folder.open(name)) }

  func remove() { folder.remove(name) }
}

extension ExitReason {
  /// From the `si_code` and `si_status` of waitid(2).
  init(code: Int32, status: Int32) {
    switch code {
    case 1: self = .exited(status)  // CLD_EXITED
    case 3: self = .signalled(status, coreDumped: true)  // CLD_DUMPED
    default: self = .signalled(status, coreDumped: false)  // CLD_KILLED
    }
  }
}

/// Calls with a NULL-terminated array of C strings that lives as long as the call.
func withCStringArray<Result>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result)
  -> Result
{
  var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
  pointers.append(nil)
  defer { for pointer in pointers { free(pointer) } }
  return body(pointers)
}
