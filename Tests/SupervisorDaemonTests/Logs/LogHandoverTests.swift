import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The output of a service in another process", .timeLimit(.minutes(5))) struct LogHandoverTests {
  /// The process before does not close what it handed over; its owner is never destroyed.
  private func handOver(
    _ log: ServiceLog, _ definition: LogDefinition, to stage: LogStage
  ) throws -> ServiceLog {
    let bytes = try Wire.encode(log.snapshot(recentBytes: 1 << 10))
    _ = Unmanaged.passRetained(log)
    let snapshot = try Wire.decode(ServiceLog.Snapshot.self, from: bytes)
    #expect(snapshot == log.snapshot(recentBytes: 1 << 10))
    #expect(Set(snapshot.descriptors).count == snapshot.descriptors.count)
    let next = ServiceLog(restoring: snapshot, service: "app", definition: definition, in: stage.context)
    try next.begin()
    return next
  }

  private func write(_ text: String, to pipe: borrowing FileDescriptor) throws {
    let bytes = Array(text.utf8)
    _ = try bytes.withUnsafeBytes { try pipe.write($0) }
  }

  @Test("goes on in the middle of a line and of a character, in a file")
  func file() throws {
    let (first, second) = (try LogStage(), try LogStage())
    let definition = LogDefinition.file(LogFileDefinition(path: first.path("app.log")))
    let log = ServiceLog(service: "app", definition: definition, in: first.context)
    let end = try log.descriptorForLaunch()
    try write("one\nhal", to: end)
    try first.run { first.text("app.log") == "one\nhal" }
    let next = try handOver(log, definition, to: second)
    try write("f\nthree\n", to: end)
    try second.run { first.text("app.log") == "one\nhalf\nthree\n" }
    #expect(next.recentLines(2) == ["half", "three"])
    // The next generation writes into the same pipe.
    try write("four\n", to: try next.descriptorForLaunch())
    try second.run { first.text("app.log").hasSuffix("three\nfour\n") }
    withExtendedLifetime(first) {}
  }

  @Test("goes on in the middle of a line, between the lines of others, and for who follows")
  func inherited() throws {
    let (first, second) = (try LogStage(), try LogStage())
    let log = ServiceLog(service: "app", definition: .inherit, in: first.context)
    let end = try log.descriptorForLaunch()
    let follower = log.follow { _ in }
    try write("one\nhal", to: end)
    try first.run { first.written.contains("one") }
    try first.settle()
    let next = try handOver(log, .inherit, to: second)
    var followed: [String] = []
    let again = next.follow { followed += $0 }
    try write("f\n", to: end)
    try second.run { second.written == "app | half\n" }
    #expect(followed == ["half"] && next.recentLines(5) == ["one", "half"])
    withExtendedLifetime((first, follower, again)) {}
  }

  @Test("goes on to the journal, with what journald did not take yet")
  func journal() throws {
    let journald = try Journal()
    let first = try LogStage(journal: { _ throws(SystemError) in try journald.connect() })
    let second = try LogStage()
    let log = ServiceLog(service: "app", definition: .journal, in: first.context)
    let end = try log.descriptorForLaunch()
    let line = String(repeating: "x", count: 999) + "\n"
    for _ in 0..<40 {
      try write(line, to: end)
      try first.settle()
    }
    try write("hal", to: end)
    try first.settle()
    let next = try handOver(log, .journal, to: second)
    try write("f\n", to: end)
    let expected = String(repeating: line, count: 40) + "half\n"
    try second.run { journald.received() == expected }
    withExtendedLifetime((first, next)) {}
  }
}

/// The other end of a stream whose buffer is small: journald, who reads when he likes.
private final class Journal {
  private let end: FileDescriptor
  private var given: FileDescriptor?
  private var text = ""

  init() throws {
    var ends: (CInt, CInt) = (-1, -1)
    let made = withUnsafeMutableBytes(of: &ends) {
      socketpair(
        AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0,
        $0.bindMemory(to: CInt.self).baseAddress)
    }
    if made == -1 { throw SystemError("create a socket pair") }
    end = FileDescriptor(owning: ends.0)
    given = FileDescriptor(owning: ends.1)
    var size: CInt = 4096
    setsockopt(ends.1, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
    try end.setBlocking(.nonBlocking)
  }

  func connect() throws(SystemError) -> FileDescriptor {
    guard let given = given.take() else { throw SystemError("connect to the journal", code: ENOENT) }
    return given
  }

  /// Everything so far.
  func received() -> String {
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = Glibc.read(end.number, &buffer, buffer.count)
      if count <= 0 { return text }
      text += String(decoding: buffer[..<count], as: UTF8.self)
    }
  }
}
