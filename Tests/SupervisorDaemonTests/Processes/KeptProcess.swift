// A program below a real keeper, as the daemon has it, for one test. Whatever it leaves is gone with its owner.

import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

final class KeptProcess {
  let pid: Int32
  let loop: EventLoop
  private(set) var keeper: Keeper?
  private(set) var messages: [Keeper.Message] = []
  /// How the keeper ended.
  private(set) var end: ExitReason?
  /// The other end of the program's stdin and stdout.
  private let channel: FileDescriptor
  private let process: PidFD
  /// Where it is found when its daemon is gone.
  private let doors: KeeperFolder?

  /// Starts a program with arguments below a keeper.
  ///
  /// - Parameter doors: for one that another daemon can take over.
  init(
    _ arguments: [String], doors: KeeperFolder? = nil, listener: CInt? = nil, cgroup: CInt? = nil,
    change: (inout LaunchRequest) -> Void = { _ in }
  ) throws {
    var request = LaunchRequest(
      service: "app", generation: 1, arguments: arguments, environment: ["PATH=/usr/bin:/bin"],
      programs: [arguments[0]])
    request.strayTimeout = .milliseconds(100)
    change(&request)
    var ends: (CInt, CInt) = (-1, -1)
    let made = withUnsafeMutableBytes(of: &ends) {
      socketpair(
        AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0,
        $0.bindMemory(to: CInt.self).baseAddress)
    }
    if made == -1 { throw SystemError("create a socket pair") }
    channel = FileDescriptor(owning: ends.0)
    let theirs = FileDescriptor(owning: ends.1)
    loop = try EventLoop()
    let keeper = try Keeper(
      program: try ChildProcess.built("fdsupervisor-keeper"), request: request,
      descriptors: [theirs.number, theirs.number, theirs.number] + [listener].compactMap { $0 },
      belongings: doors.map { Keeper.Belongings(folder: $0) }, cgroup: cgroup)
    self.doors = doors
    pid = keeper.pid
    self.keeper = keeper
    process = try PidFD.open(try #require(ProcessTable.stat(of: keeper.pid)).identity)
  }

  /// A shell script; `$1` and so on are the words.
  convenience init(script: String, _ words: String...) throws {
    try self.init(["/bin/sh", "-c", script, "sh"] + words)
  }

  deinit {
    keeper = nil
    do {
      if end == nil, let doors { for survivor in try Survivor.meetAll(in: doors) { survivor.keeper.sweep() } }
      try awaitEnd()
    } catch { Issue.record(error) }
  }

  /// What the daemon does when it dies.
  func letGo() { keeper = nil }

  /// Waits for a message of the keeper.
  @discardableResult func message() throws -> Keeper.Message {
    let keeper = try #require(keeper)
    if let message = keeper.receive() {
      messages.append(message)
      return message
    }
    var question = pollfd(fd: keeper.connection, events: Int16(POLLIN), revents: 0)
    #expect(try retrying("poll") { poll(&question, 1, 20_000) } == 1)
    let message = try #require(keeper.receive())
    messages.append(message)
    return message
  }

  /// Waits for the start; the number of the main process.
  func main() throws -> Int32 {
    guard case .started(let pid) = try message() else { throw SystemError("execute", "app", code: ENOENT) }
    return pid
  }

  /// Waits for the keeper's own end.
  @discardableResult func awaitEnd() throws -> ExitReason {
    if let end { return end }
    var question = pollfd(fd: process.descriptor.number, events: Int16(POLLIN), revents: 0)
    #expect(try retrying("poll") { poll(&question, 1, 20_000) } == 1, "the keeper never ended")
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { throw SystemError("reap", "the keeper") }
    let reason: ExitReason =
      status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signalled(status & 0x7f, coreDumped: false)
    end = reason
    return reason
  }

  /// Waits until the program has written a line.
  func line() throws -> String {
    var text: [UInt8] = []
    while text.last != UInt8(ascii: "\n") {
      var question = pollfd(fd: channel.number, events: Int16(POLLIN), revents: 0)
      guard try retrying("poll", "", { poll(&question, 1, 20_000) }) == 1 else { break }
      var byte = [UInt8](repeating: 0, count: 1)
      let count = try byte.withUnsafeMutableBytes { try channel.read(into: $0) }
      if count == 0 { break }
      text += byte
    }
    return String(decoding: text.dropLast(), as: UTF8.self)
  }

  /// Answers a `read` of the program.
  func tell(_ line: String) throws {
    var bytes = Array((line + "\n").utf8)
    _ = try bytes.withUnsafeMutableBytes { try channel.write(UnsafeRawBufferPointer($0)) }
  }

  /// Everybody below the keeper.
  var descendants: [Descendant] {
    var found: [Descendant] = []
    Descendants.visit(.below(pid)) { found.append($0) }
    return found
  }
}
