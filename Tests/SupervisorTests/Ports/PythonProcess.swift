// A real process with real sockets: a Python script, told what to do line by line, gone with its owner.

import Glibc
import Supervisor
import Testing

/// Runs a script that prints what the test must know, a line at a time, and ends when its input ends.
final class PythonProcess {
  let pid: Int32
  private let process: PidFD
  /// The other end of the script's input and output.
  private let channel: FileDescriptor
  private var unread: [UInt8] = []

  init(_ script: String) throws {
    var ends: (CInt, CInt) = (-1, -1)
    let made = withUnsafeMutableBytes(of: &ends) {
      socketpair(
        AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0,
        $0.bindMemory(to: CInt.self).baseAddress)
    }
    if made == -1 { throw SystemError("create a pair of sockets") }
    channel = FileDescriptor(owning: ends.0)
    let inherited = FileDescriptor(owning: ends.1)
    pid = try Self.spawn(prelude + script, inherited.number)
    let stat = try #require(ProcessTable.stat(of: pid))
    process = try PidFD.open(stat.identity)
  }

  deinit {
    do throws(SystemError) { _ = try process.send(SIGKILL) } catch { Issue.record(error) }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) == -1, errno == EINTR {}
  }

  /// Sends a line to the script.
  func tell(_ line: String) throws {
    var bytes = Array((line + "\n").utf8)
    _ = try bytes.withUnsafeMutableBytes { try channel.write(UnsafeRawBufferPointer($0)) }
  }

  /// Waits for the next line.
  func line() throws -> String {
    while true {
      if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
        defer { unread.removeSubrange(...end) }
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      var chunk = [UInt8](repeating: 0, count: 1024)
      let count = try chunk.withUnsafeMutableBytes { try channel.read(into: $0) }
      if count == 0 { throw SystemError("read a line of", "the script", code: EPIPE) }
      unread += chunk[..<count]
    }
  }

  /// Waits for a line of numbers.
  func numbers() throws -> [Int] { try line().split(separator: " ").map { try #require(Int($0)) } }

  private static func spawn(_ script: String, _ channel: CInt) throws -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for number: CInt in 0...1 { posix_spawn_file_actions_adddup2(&actions, channel, number) }
    let words = ["/usr/bin/env", "python3", "-c", script]
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let error = posix_spawn(&pid, "/usr/bin/env", &actions, nil, &arguments, environ)
    if error != 0 { throw SystemError("start", "python3", code: error) }
    return pid
  }
}

/// What every script starts with.
///
/// Ports come from below the range that the kernel hands out by itself, so that no test that runs beside this
/// one is given the port that was just released.
private let prelude = """
  import ctypes, os, random, signal, socket, sys, threading
  libc = ctypes.CDLL(None, use_errno=True)
  TCP, UDP, LOCAL = socket.SOCK_STREAM, socket.SOCK_DGRAM, '127.0.0.1'
  signal.pthread_sigmask(signal.SIG_SETMASK, []); signal.signal(signal.SIGTERM, signal.SIG_DFL)
  def inode(s): return os.fstat(s.fileno()).st_ino
  def say(*words): print(*words, flush=True)
  def wait(): return sys.stdin.readline().strip()
  def bound(address=LOCAL, kind=TCP, options=(), port=0):
      for attempt in range(200):
          s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, kind)
          if ':' in address: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
          for level, option in options: s.setsockopt(level, option, 1)
          try:
              s.bind((address, port or random.randrange(10000, 30000)))
              return s
          except OSError:
              s.close()
              if port: raise
      raise SystemExit('no port is free')
  def port(s): return s.getsockname()[1]

  """
