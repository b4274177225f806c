// A program that a test runs beside a server, with the loop turning meanwhile.

import CLinux
import Glibc
import Supervisor
import SupervisorDaemon

/// What came of it.
struct ChildResult {
  var status: Int32
  var output: String
  var errors: String
}

enum ChildProcess {
  /// Runs a program to its end; its stdin is /dev/null.
  ///
  /// It is killed when it takes too long.
  static func run(
    _ program: String, _ arguments: [String], environment: [String] = [], beside server: TestServer
  ) throws -> ChildResult {
    let output = server.folder.path + "/out"
    let errors = server.folder.path + "/err"
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    let argumentCopies = ([program] + arguments).map { strdup($0) }
    let environmentCopies = environment.map { strdup($0) }
    defer { (argumentCopies + environmentCopies).forEach { free($0) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, program, &actions, nil, argumentCopies + [nil], environmentCopies + [nil])
    if code != 0 { throw SystemError("execute", program, code: code) }
    let status = try wait(for: pid, server)
    return ChildResult(status: status, output: text(output), errors: text(errors))
  }

  /// The exit status, or 128 and the signal.
  private static func wait(for pid: pid_t, _ server: TestServer) throws -> Int32 {
    let pidfd = FileDescriptor(owning: try retrying("open a child") { cl_pidfd_open(pid) })
    var isOver = false
    let source = try server.loop.watch(pidfd.number) { _ in isOver = true }
    defer { source.cancel() }
    do {
      try server.turn(until: "\(pid) ended") { isOver }
    } catch {
      _ = cl_pidfd_send_signal(pidfd.number, SIGKILL, 0)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
      throw error
    }
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
  }

  private static func text(_ path: String) -> String {
    String(decoding: contents(ofSmallFile: path) ?? [], as: UTF8.self)
  }

  /// A program that was built beside the tests.
  static func built(_ name: String) throws -> String {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &path, path.count)
    if length > 0 {
      let own = String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let candidate = String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]) + "/" + name
      if access(candidate, X_OK) == 0 { return candidate }
    }
    for argument in CommandLine.arguments {
      guard let end = argument.range(of: "/debug/")?.upperBound ?? argument.range(of: "/release/")?.upperBound
      else {
        continue
      }
      let candidate = argument[..<end] + name
      if access(String(candidate), X_OK) == 0 { return String(candidate) }
    }
    throw NeverHappened(what: "\(name) was built: \(CommandLine.arguments)")
  }
}

extension String {
  /// Where another string first occurs.
  fileprivate func range(of other: String) -> Range<Index>? {
    indices.lazy.filter { self[$0...].hasPrefix(other) }.map { $0..<self.index($0, offsetBy: other.count) }
      .first
  }
}
