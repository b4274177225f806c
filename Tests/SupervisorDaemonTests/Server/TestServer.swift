// A real server in a real loop, in a folder of its own; the tests turn the loop themselves, on their own thread.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

/// What a test waits for did not happen.
struct NeverHappened: Error {
  var what: String
}

final class TestFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/fdsupervisor-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("create a folder") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { remove() }

  /// For a process that exits before this object goes.
  func remove() { Self.remove(path) }

  private static func remove(_ path: String) {
    // Before it is looked into: a symbolic link goes, and what it leads to stays.
    if unlink(path) == 0 { return }
    if let folder = opendir(path) {
      while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { remove(path + "/" + name) }
      }
      closedir(folder)
      rmdir(path)
    }
  }
}

final class TestServer {
  let folder: TestFolder
  let loop: EventLoop
  private(set) var server: ControlServer?
  private(set) var lines: [String] = []
  /// Every call that came; `answer` decides what happens to it.
  private(set) var calls: [ControlCall] = []
  var answer: (ControlCall) -> Void = { $0.reply(StatusReply(services: [])) }

  var path: String { folder.path + "/control.sock" }

  init(group: String? = nil, limits: ControlLimits = ControlLimits()) throws {
    folder = try TestFolder()
    loop = try EventLoop()
    server = try ControlServer(
      loop: loop, path: folder.path + "/control.sock", group: group, limits: limits,
      log: { [weak self] in self?.lines.append($0) },
      onCall: { [weak self] call in
        self?.calls.append(call)
        self?.answer(call)
      })
  }

  func close() {
    server?.close()
    server = nil
  }

  /// Turns the loop until the condition holds.
  func turn(until what: String, _ condition: () throws -> Bool) throws {
    let end = Clock.now() + .seconds(20)
    while try condition() == false {
      if Clock.now() > end { throw NeverHappened(what: what) }
      _ = try loop.turn(atMost: .milliseconds(2))
    }
  }

  /// Handles everything that is ready now.
  func settle() throws { while try loop.turn(atMost: .zero) {} }

  func client() throws -> TestClient { try TestClient(self) }
}

/// A client without manners: bytes in, bytes out, never blocking.
final class TestClient {
  private let server: TestServer
  private let socket: FileDescriptor
  private var received: [UInt8] = []
  private(set) var isClosed = false

  init(_ server: TestServer) throws {
    self.server = server
    socket = try UnixStream.make(.nonBlocking)
    try UnixStream.connect(socket, to: server.path)
  }

  /// Sends what the kernel takes; how many bytes.
  @discardableResult func send(_ bytes: [UInt8]) throws -> Int {
    do throws(SystemError) {
      return try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
        try UnixStream.send(UnsafeRawBufferPointer(buffer), to: socket)
      }
    } catch {
      switch error.code {
      case EAGAIN: return 0
      case EPIPE, ECONNRESET:
        isClosed = true
        return 0
      default: throw error
      }
    }
  }

  func send(_ text: String) throws { try send(Array((text + "\0").utf8)) }

  func call(_ method: ControlMethod, _ parameters: String = "{}", _ more: String = "") throws {
    try send(
      "{\"method\":\"org.fdsupervisord.Control.\(method.rawValue)\",\"parameters\":\(parameters)\(more)}")
  }

  /// Nothing more will be sent, but replies are read: shutdown(2).
  func finishSending() { shutdown(socket.number, CInt(SHUT_WR)) }

  /// The next message, with the loop turning meanwhile.
  func reply() throws -> String {
    try server.turn(until: "a reply came") {
      try poll()
      if isClosed, !received.contains(0) {
        throw NeverHappened(what: "closed instead of a reply: \(server.lines)")
      }
      return received.contains(0)
    }
    guard let end = received.firstIndex(of: 0) else { return "" }
    defer { received.removeFirst(end + 1) }
    return String(decoding: received[..<end], as: UTF8.self)
  }

  /// Waits until the server closes.
  func closed() throws {
    try server.turn(until: "the server closed") {
      try poll()
      return isClosed
    }
  }

  /// Takes what is there.
  func poll() throws {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while !isClosed {
      do throws(SystemError) {
        let got = try buffer.withUnsafeMutableBufferPointer { room throws(SystemError) in
          try socket.read(into: UnsafeMutableRawBufferPointer(room))
        }
        if got == 0 { isClosed = true } else { received += buffer[..<got] }
      } catch {
        if error.code == EAGAIN { return }
        if error.code == ECONNRESET { isClosed = true } else { throw error }
      }
    }
  }
}
