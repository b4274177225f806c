// A program that is run to its end, with a time limit.

import CLinux
import Glibc
import Supervisor
import Testing

/// What a test waits for did not happen.
struct NeverHappened: Error, CustomStringConvertible {
  var description: String
}

/// What came of a program.
struct Outcome: CustomStringConvertible {
  var command: String
  /// The exit status, or 128 and the signal.
  var status: Int32
  var output: String
  var errors: String

  var description: String { "\(command): status \(status)\n\(output)\(errors)" }
}

/// Starting programs, and waiting for their end.
enum Program {
  /// Starts one.
  ///
  /// - Parameter streams: the standard descriptors.
  static func start(_ words: [String], streams: [CInt]) throws -> PidFD {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, stream) in streams.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, stream, CInt(number))
    }
    // The test's own threads have signals blocked; a program begins with none (signal(7)).
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let arguments = words.map { strdup($0) }
    let variables = currentEnvironment().map { strdup($0) }
    defer { (arguments + variables).forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, words[0], &actions, &attributes, arguments + [nil], variables + [nil])
    if code != 0 { throw SystemError("execute", words[0], code: code) }
    return PidFD(
      owning: FileDescriptor(owning: try retrying("open process", "\(pid)") { cl_pidfd_open(pid) }), pid: pid)
  }

  /// Waits for the end: the exit status, or 128 and the signal; nil when the time is over.
  ///
  /// Once only: it reaps.
  static func status(of process: borrowing PidFD, within limit: Duration) -> Int32? {
    // A pidfd is readable once its process is a zombie, pidfd_open(2).
    var entry = pollfd(fd: process.descriptor.number, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, Int32(clamping: limit.wholeNanoseconds / 1_000_000)) == 1 else { return nil }
    var status: Int32 = 0
    while waitpid(process.pid, &status, 0) == -1, errno == EINTR {}
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
  }

  /// Runs one to its end, without input; it is killed when the time is over.
  static func run(_ words: [String], within limit: Duration = .seconds(30)) throws -> Outcome {
    let none = try FileDescriptor.open("/dev/null", O_RDWR)
    let output = try TemporaryFile()
    let errors = try TemporaryFile()
    let process = try start(
      words, streams: [none.number, output.descriptor.number, errors.descriptor.number])
    var outcome = Outcome(command: words.joined(separator: " "), status: -1, output: "", errors: "")
    let status = Program.status(of: process, within: limit)
    if status == nil {
      _ = try process.send(SIGKILL)
      _ = Program.status(of: process, within: .seconds(10))
    }
    (outcome.output, outcome.errors) = (output.text, errors.text)
    guard let status else { throw NeverHappened(description: "an end within \(limit.text): \(outcome)") }
    outcome.status = status
    return outcome
  }
}

/// A file without a name.
struct TemporaryFile: ~Copyable {
  let descriptor: FileDescriptor

  init() throws {
    // O_TMPFILE, open(2), which the importer does not show; close-on-exec like all that is opened here.
    descriptor = try FileDescriptor.open("/tmp", 0o20_000_000 | O_DIRECTORY | O_RDWR, mode: 0o600)
  }

  var text: String {
    String(
      decoding: contents(ofSmallFile: "/proc/self/fd/\(descriptor.number)", limit: 64 << 20) ?? [],
      as: UTF8.self)
  }
}

/// Looks again and again, until it finds something or the time is over.
@discardableResult func eventually<Value>(
  _ what: String, within limit: Duration = .seconds(20), _ look: () throws -> Value?
) throws -> Value {
  let end = Clock.now() + limit
  while true {
    if let found = try look() { return found }
    if Clock.now() > end { throw NeverHappened(description: "\(what) within \(limit.text)") }
    Clock.pause(.milliseconds(20))
  }
}
