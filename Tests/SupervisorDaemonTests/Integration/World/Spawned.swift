// A program that a test started: where its output goes, how it ended, and that it ends with the test.

import CLinux
import Glibc
import Supervisor
import Testing

/// A child of the test.
///
/// It is killed with its owner, through its pidfd, if it is still there.
final class Spawned {
  let pid: Int32
  private let process: PidFD
  private var ended: Int32?
  private let leash: Leash?

  /// What a standard descriptor is.
  enum Stream {
    case null
    /// Appended to.
    case file(String)
    /// Read from, or written to, without being created.
    case device(String)
    case descriptor(CInt)
  }

  enum Care { case none, leashed }
  /// Whose session the program is in; the leader of one gets the first terminal that it opens, setsid(2).
  enum Session { case ofTest, own }

  /// - Parameters:
  ///   - extra: descriptors that the program gets beside the standard ones, by number.
  ///   - care: `leashed` for what must not outlive the test even when the test itself is killed.
  init(
    _ program: String, _ arguments: [String], environment: [String] = Spawned.plainEnvironment,
    input: Stream = .null, output: Stream = .null, errors: Stream = .null, extra: [CInt: CInt] = [:],
    session: Session = .ofTest, care: Care = .none
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, stream) in zip([0, 1, 2] as [CInt], [input, output, errors]) {
      Self.add(stream, as: number, to: &actions)
    }
    for (number, descriptor) in extra { posix_spawn_file_actions_adddup2(&actions, descriptor, number) }
    // The test's own threads have signals blocked; a program begins with none (signal(7)).
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    let leads: Int16 = session == .own ? 0x80 : 0  // POSIX_SPAWN_SETSID, posix_spawn(3)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | leads)
    let words = ([program] + arguments).map { strdup($0) }
    let variables = environment.map { strdup($0) }
    defer { (words + variables).forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, program, &actions, &attributes, words + [nil], variables + [nil])
    if code != 0 { throw SystemError("execute", program, code: code) }
    self.pid = pid
    process = PidFD(
      owning: FileDescriptor(owning: try retrying("open process", "\(pid)") { cl_pidfd_open(pid) }), pid: pid)
    leash = care == .leashed ? try Leash(on: process) : nil
  }

  deinit {
    guard ended == nil else { return }
    do throws(SystemError) { _ = try process.send(SIGKILL) } catch { Issue.record(error) }
    reap()
  }

  private static func add(_ stream: Stream, as number: CInt, to actions: inout posix_spawn_file_actions_t) {
    switch stream {
    case .null: posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
    case .device(let path): posix_spawn_file_actions_addopen(&actions, number, path, O_RDWR, 0)
    case .file(let path):
      posix_spawn_file_actions_addopen(&actions, number, path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, number)
    }
  }

  /// That of the test, without what a supervisor above it may have put there.
  static let plainEnvironment = currentEnvironment().filter { entry in
    !["LISTEN_", "NOTIFY_SOCKET=", "WATCHDOG_", "INVOCATION_ID=", "JOURNAL_STREAM="].contains {
      entry.hasPrefix($0)
    }
  }

  func send(_ signal: Int32) throws { _ = try process.send(signal) }

  var isRunning: Bool { ended == nil && !hasEnded(within: .zero) }

  /// Waits for the end: the exit status, or 128 and the signal.
  func status(within limit: Duration = .seconds(20)) throws -> Int32 {
    if let ended { return ended }
    guard hasEnded(within: limit) else { throw NeverHappened(what: "pid \(pid) ended within \(limit.text)") }
    return reap()
  }

  private func hasEnded(within limit: Duration) -> Bool {
    // A pidfd is readable once its process is a zombie, pidfd_open(2).
    var entry = pollfd(fd: process.descriptor.number, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, Int32(clamping: limit.wholeNanoseconds / 1_000_000)) == 1
  }

  @discardableResult private func reap() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) == -1, errno == EINTR {}
    let result = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    ended = result
    return result
  }
}

/// A process that kills another one when the test process is gone or hangs.
private final class Leash {
  private let holder: Spawned
  private let end: FileDescriptor

  init(on process: borrowing PidFD) throws {
    let ends = try FileDescriptor.pipe()
    holder = try Spawned(
      try ChildProcess.built("misbehaving"), ["leash"], input: .descriptor(ends.reading.number),
      extra: [3: process.descriptor.number])
    end = try ends.writing.duplicate()
  }
}
