// The daemon's end of one keeper: launch it, hear what it says. It decides nothing.

import CKeeper
import CLinux
import Glibc
import Supervisor

/// One keeper and, once it runs, the main process below it.
package final class Keeper {
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

  private let control: FileDescriptor
  private var filter: FileDescriptor?

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
  }

  /// Goes on with the keeper that another process handed over; its pid is still that of a child.
  package init(restoring snapshot: Snapshot) {
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
  }

  package var snapshot: Snapshot {
    var request = request
    if main != nil { request.forgetPlan() }
    return Snapshot(
      pid: pid, generation: generation, request: request, connection: connection, main: main?.snapshot)
  }

  /// How long a message is, in bytes: keepers that run speak as they did when they were executed.
  package static let messageSize = MemoryLayout<keeper_message>.size

  package enum Message: Hashable, Sendable {
    case started(pid: Int32)
    case failed(step: Int32, error: Int32)
    case exited(ExitReason)
    /// The filter for bind(2) is there, `takeFilter()`; or why it is not, an errno.
    case intercepts(error: Int32)
  }

  /// Executes a keeper, which executes the program.
  ///
  /// Returns as soon as the keeper runs.
  ///
  /// - Parameters:
  ///   - descriptors: what the main process gets as 0, 1, 2, 3 …
  ///   - cgroup: the directory of the cgroup that the main process is created in; nil: that of the keeper.
  package init(program: String, request: LaunchRequest, descriptors: [CInt], cgroup: CInt? = nil)
    throws(SystemError)
  {
    var ends: (CInt, CInt) = (-1, -1)
    let made = withUnsafeMutableBytes(of: &ends) {
      socketpair(
        AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0,
        $0.bindMemory(to: CInt.self).baseAddress)
    }
    if made == -1 { throw SystemError("create a socket pair") }
    let ours = FileDescriptor(owning: ends.0)
    let theirs = FileDescriptor(owning: ends.1)
    let plan = try LaunchPlan(
      request, firstUnusedDescriptor: descriptors.count, cgroup: cgroup.map { _ in descriptors.count + 2 }
    ).file()
    let numbers = descriptors + [theirs.number, plan.number] + [cgroup].compactMap { $0 }
    var pid: pid_t = 0
    let title = "\(request.service)/\(request.generation)"
    let arguments = ["fdsupervisor-keeper", title, String(descriptors.count), String(descriptors.count + 1)]
    let error = withCStringArray(arguments) { cl_spawn(program, $0, numbers, Int32(numbers.count), &pid) }
    if error != 0 { throw SystemError("execute", program, code: error) }
    self.pid = pid
    self.generation = request.generation
    self.request = request
    self.control = ours
  }

  /// Asks the keeper to end everybody below it by itself: SIGTERM, then SIGKILL after `stray_timeout`.
  ///
  /// It sees its parent's end close, as if the daemon had died, and goes on reporting. It needs neither
  /// descriptors nor what /proc shows to others, which the daemon may lack.
  package func sweep() { _ = shutdown(control.number, Int32(SHUT_WR)) }

  /// The listening end of the filter for bind(2), once.
  package func takeFilter() -> FileDescriptor? { filter.take() }

  /// Continues a keeper that somebody stopped: it could not reap, and nobody would hear of its main process.
  package func resume() throws(SystemError) {
    guard let identity = ProcessTable.stat(of: pid)?.identity else { return }
    _ = try PidFD.open(identity).send(SIGCONT)
  }

  /// The pidfd did not come along (no descriptor was left on either side): it is opened by number.
  ///
  /// nil when it is gone already, or not the keeper's.
  private static func open(_ pid: Int32, childOf keeper: Int32) -> MainProcess? {
    guard let stat = ProcessTable.stat(of: pid), stat.parent == keeper else { return nil }
    do throws(SystemError) { return MainProcess(try PidFD.open(stat.identity)) } catch { return nil }
  }

  /// The next message; nil when there is none now, or none any more.
  ///
  /// Never blocks.
  package func receive() -> Message? {
    var message = keeper_message()
    var received = cl_received()
    withUnsafeMutableBytes(of: &message) { cl_receive(control.number, $0.baseAddress, $0.count, &received) }
    var descriptor: FileDescriptor? =
      received.descriptor_count > 0 ? FileDescriptor(owning: received.descriptors.0) : nil
    guard received.length == Self.messageSize else { return nil }
    switch message.kind {
    case UInt32(KEEPER_STARTED.rawValue):
      if message.error != 0 { cgroupRefusal = message.error }
      if let descriptor = descriptor.take() {
        main = MainProcess(PidFD(owning: descriptor, pid: message.pid))
      } else {
        main = Self.open(message.pid, childOf: pid)
      }
      return .started(pid: message.pid)
    case UInt32(KEEPER_FAILED.rawValue):
      return .failed(step: message.step, error: message.error)
    case UInt32(KEEPER_EXITED.rawValue):
      return .exited(ExitReason(code: message.code, status: message.status))
    case UInt32(KEEPER_INTERCEPTS.rawValue):
      filter = descriptor.take()
      return .intercepts(error: message.error)
    default: return nil
    }
  }
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
