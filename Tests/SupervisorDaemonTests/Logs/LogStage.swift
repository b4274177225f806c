// What the tests of logs stand on: a folder of their own, a real loop, a daemon's output that is a file.

import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

/// One daemon's logs, in a folder that goes with it.
final class LogStage {
  let folder: String
  let loop: EventLoop
  let context: LogContext
  let output: NonBlockingOutput

  /// The daemon's output is the file "output", unless another descriptor is given.
  init(
    output descriptor: consuming FileDescriptor? = nil, place: LogContext.Place = .elsewhere,
    colours: LogContext.Colours = .off,
    journal: @escaping (String) throws(SystemError) -> FileDescriptor = { _ throws(SystemError) in
      throw SystemError("connect to the journal", code: ENOENT)
    }
  ) throws {
    // As the program does: a write to a reader who went away is an error, not the end.
    signal(SIGPIPE, SIG_IGN)
    var template = Array("/tmp/fdsupervisord-logs-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw SystemError("make a folder") }
    folder = String(cString: made)
    loop = try EventLoop()
    if descriptor == nil {
      descriptor = try FileDescriptor.open(folder + "/output", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
    }
    guard let opened = descriptor.take() else { throw SystemError("open the output") }
    output = try NonBlockingOutput(opened, loop: loop)
    context = LogContext(
      loop: loop, output: output, log: DaemonLog(output: output), place: place, colours: colours,
      connectToJournal: journal)
  }

  deinit { Self.remove(folder) }

  func path(_ name: String) -> String { folder + "/" + name }

  /// What a file of the folder holds; "" when it is not there.
  func text(_ name: String) -> String {
    String(decoding: contents(ofSmallFile: path(name), limit: 64 << 20) ?? [], as: UTF8.self)
  }

  /// What the daemon wrote, when that is the file.
  var written: String { text("output") }

  /// Handles everything that is due, and returns when nothing is.
  func settle() throws { while try loop.turn(atMost: .zero) {} }

  /// Runs the loop until something holds.
  func run(until holds: () throws -> Bool) throws {
    let end = Clock.now() + .seconds(30)
    while !(try holds()) {
      let left = end - Clock.now()
      try #require(left > .zero, "it did not come about within 30 s")
      _ = try loop.turn(atMost: left)
    }
  }

  /// Runs the loop for so long: only for what is promised by the clock.
  func pass(_ duration: Duration) throws {
    var isOver = false
    let timer = try loop.timer(at: Clock.now() + duration) { isOver = true }
    try run { isOver }
    timer.cancel()
  }

  /// Runs a program with this as its output until it is gone; returns its status.
  func finish(_ command: [String], output: borrowing FileDescriptor) throws -> Int32 {
    var pid: pid_t = 0
    let arguments = command.map { (word: String) -> UnsafeMutablePointer<CChar>? in strdup(word) } + [nil]
    defer { for word in arguments { free(word) } }
    let null = try FileDescriptor.open("/dev/null", O_RDONLY)
    let code = cl_spawn(command[0], arguments, [null.number, output.number, output.number], 3, &pid)
    if code != 0 { throw SystemError("execute", command[0], code: code) }
    let pidfd = FileDescriptor(owning: try retrying("open a process") { cl_pidfd_open(pid) })
    var isGone = false
    let source = try loop.watch(pidfd.number) { _ in isGone = true }
    do {
      try run { isGone }
    } catch {
      _ = cl_pidfd_send_signal(pidfd.number, SIGKILL, 0)
      // A zombie that nobody reaps blocks the exit tests that run beside this: they wait for any child.
      var status: Int32 = 0
      waitpid(pid, &status, 0)
      throw error
    }
    source.cancel()
    var status: Int32 = 0
    _ = try retrying("wait") { waitpid(pid, &status, 0) }
    return status
  }

  private static func remove(_ folder: String) {
    guard let entries = opendir(folder) else { return }
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      if entry.pointee.d_type == UInt8(DT_DIR) {
        remove(folder + "/" + name)
      } else {
        unlink(folder + "/" + name)
      }
    }
    closedir(entries)
    rmdir(folder)
  }
}

extension FileDescriptor {
  /// Writes a text as a service would.
  borrowing func print(_ text: String) throws {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      let number = self.number
      done += try retrying("write") {
        bytes.withUnsafeBytes { Glibc.write(number, $0.baseAddress.map { $0 + done }, $0.count - done) }
      }
    }
  }

  /// What can be read now.
  borrowing func available() throws -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    let number = self.number
    while true {
      var question = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      guard poll(&question, 1, 0) == 1, question.revents & Int16(POLLIN) != 0 else { break }
      let got = try retrying("read") { Glibc.read(number, &chunk, chunk.count) }
      if got == 0 { break }
      bytes += chunk[..<got]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// The two ends of a connected pair of stream sockets.
func socketPair() throws -> PipeLike {
  var ends: [CInt] = [-1, -1]
  let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
  _ = try retrying("make a pair of sockets") { socketpair(AF_UNIX, type, 0, &ends) }
  return PipeLike(FileDescriptor(owning: ends[0]), FileDescriptor(owning: ends[1]))
}

/// A reading and a writing end that can be given away one by one.
final class PipeLike {
  private var readingEnd: FileDescriptor?
  private var writingEnd: FileDescriptor?

  init(_ reading: consuming FileDescriptor, _ writing: consuming FileDescriptor) {
    readingEnd = consume reading
    writingEnd = consume writing
  }

  func takeReading() throws -> FileDescriptor {
    guard let end = readingEnd.take() else { throw SystemError("take an end twice", code: EBADF) }
    return end
  }

  func takeWriting() throws -> FileDescriptor {
    guard let end = writingEnd.take() else { throw SystemError("take an end twice", code: EBADF) }
    return end
  }
}

/// A pipe whose ends can be given away one by one.
func pipePair() throws -> PipeLike {
  var ends: [CInt] = [-1, -1]
  _ = try retrying("create a pipe") { cl_pipe(&ends) }
  return PipeLike(FileDescriptor(owning: ends[0]), FileDescriptor(owning: ends[1]))
}

/// A pseudo terminal: what reads its screen, and the terminal.
func terminal() throws -> PipeLike {
  let screen = try FileDescriptor.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK)
  var number: Int32 = 0
  // TIOCSPTLCK and TIOCGPTN, ioctl_tty(2).
  _ = try retrying("unlock a terminal") { cl_ioctl_int(screen.number, 0x4004_5431, &number) }
  _ = try retrying("name a terminal") { cl_ioctl_int(screen.number, 0x8004_5430, &number) }
  return PipeLike(screen, try FileDescriptor.open("/dev/pts/\(number)", O_RDWR | O_NOCTTY))
}

/// Somebody who reads what the other end wrote, as the loop tells of it.
final class Reader {
  private let end: FileDescriptor
  private var source: EventSource?
  private(set) var text = ""

  init(_ end: consuming FileDescriptor) { self.end = end }

  deinit { source?.cancel() }

  /// Begins to read.
  func start(_ loop: EventLoop) throws {
    source = try loop.watch(end.number) { [weak self] _ in
      do { try self?.read() } catch { Issue.record("cannot read: \(error)") }
    }
  }

  func read() throws { text += try end.available() }
}
