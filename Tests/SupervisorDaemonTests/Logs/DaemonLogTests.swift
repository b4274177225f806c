import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The daemon's log", .timeLimit(.minutes(5)))
struct DaemonLogTests {
  /// A datagram socket at a path, as journald has one.
  private func journald(_ path: String) throws -> FileDescriptor {
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let socket = FileDescriptor(owning: try retrying("make a socket") { Glibc.socket(AF_UNIX, type, 0) })
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let number = socket.number
    _ = try withUnsafePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        try retrying("bind", path) { bind(number, address, socklen_t(MemoryLayout<sockaddr_un>.size)) }
      }
    }
    return socket
  }

  @Test("an entry is a line that names the service")
  func line() throws {
    let stage = try LogStage()
    stage.context.log.log(.notice, service: "app", generation: 4, pid: 18311, "generation 4 is ready")
    stage.context.log.log(.info, "reads fdsupervisord.toml")
    #expect(
      stage.written == "fdsupervisord: app: generation 4 is ready\nfdsupervisord: reads fdsupervisord.toml\n")
  }

  @Test("what is less severe than the threshold is not logged, nor even put together")
  func threshold() throws {
    let stage = try LogStage()
    var isAsked = false
    func message() -> String {
      isAsked = true
      return "detail"
    }
    stage.context.log.threshold = .warning
    stage.context.log.log(.notice, message())
    #expect(!isAsked)
    stage.context.log.log(.warning, message())
    #expect(stage.written == "fdsupervisord: detail\n")
  }

  @Test("a name with a newline can't pretend to be an entry")
  func forgery() throws {
    let stage = try LogStage()
    stage.context.log.log(.error, service: "a\nb", "held by x\nfdsupervisord: all is well\u{1B}[2J")
    #expect(stage.written == "fdsupervisord: a\\x0ab: held by x\\x0afdsupervisord: all is well\\x1b[2J\n")
  }

  @Test("the lines that belong to a message stand below it")
  func linesBelow() throws {
    let stage = try LogStage()
    stage.context.log.log(
      .error, service: "app", "exit status 1", lines: ["Traceback", "\u{1B}[31mKeyError\u{1B}[0m"])
    let name = "fdsupervisord: app: "
    #expect(stage.written == "\(name)exit status 1\n\(name)  | Traceback\n\(name)  | KeyError\n")
  }

  @Test("an error is coloured where colours are wanted")
  func colours() throws {
    let stage = try LogStage()
    DaemonLog(output: stage.output, style: .coloured).log(.error, "no")
    #expect(stage.written == "\u{1B}[1;31mfdsupervisord: no\u{1B}[0m\n")
  }

  @Test("an entry for the journal has fields, and nothing goes to stderr")
  func journal() throws {
    let stage = try LogStage()
    let socket = try journald(stage.path("journal"))
    let log = DaemonLog(
      output: stage.output, style: .prioritized, journal: JournalSocket(path: stage.path("journal")))
    log.log(.warning, service: "app", generation: 2, pid: 77, "blocked", kind: .portTaken)
    let expected = """
      MESSAGE=app: blocked
      PRIORITY=4
      SYSLOG_IDENTIFIER=fdsupervisord
      MESSAGE_ID=\(EventKind.portTaken.messageID)
      SERVICE=app
      GENERATION=2
      PID=77

      """
    #expect(try socket.available() == expected)
    #expect(stage.written.isEmpty)
  }

  @Test("a value of several lines goes to the journal with its length")
  func journalLines() throws {
    let stage = try LogStage()
    let socket = try journald(stage.path("journal"))
    let log = DaemonLog(output: stage.output, journal: JournalSocket(path: stage.path("journal")))
    log.log(.info, "a", lines: ["b"])
    #expect(
      try socket.available()
        == "MESSAGE\n\u{7}\0\0\0\0\0\0\0a\n  | b\nPRIORITY=6\nSYSLOG_IDENTIFIER=fdsupervisord\n")
  }

  @Test("a journald that does not read never blocks: the rest goes to stderr with its priority")
  func stalledJournal() throws {
    let stage = try LogStage()
    let socket = try journald(stage.path("journal"))
    let log = DaemonLog(
      output: stage.output, style: .prioritized, journal: JournalSocket(path: stage.path("journal")))
    for number in 0..<5000 { log.log(.info, "entry \(number)") }
    let atStderr = stage.written.split(separator: "\n")
    #expect(atStderr.last == "<6>fdsupervisord: entry 4999")
    let queued = try socket.available().split(separator: "\n").count { $0.hasPrefix("MESSAGE=entry") }
    #expect(queued > 0)
    #expect(queued + atStderr.count == 5000)
  }

  @Test("a restarted journald is found again")
  func restartedJournal() throws {
    let stage = try LogStage()
    let first = try journald(stage.path("journal"))
    let log = DaemonLog(output: stage.output, journal: JournalSocket(path: stage.path("journal")))
    log.log(.info, "one")
    first.close()
    unlink(stage.path("journal"))
    log.log(.info, "two")
    let second = try journald(stage.path("journal"))
    log.log(.info, "three")
    #expect(stage.written == "fdsupervisord: two\n")
    #expect(try second.available().hasPrefix("MESSAGE=three\n"))
  }

  @Test(
    "what is logged while journald and its stream are gone is in the journal when it is back, in its order")
  func absentJournal() throws {
    let pair = try socketPair()
    let stage = try LogStage(output: try pair.takeWriting())
    try pair.takeReading().close()
    let log = DaemonLog(output: stage.output, journal: JournalSocket(path: stage.path("journal")))
    log.log(.info, "one")
    log.log(.info, "two")
    let journald = try journald(stage.path("journal"))
    log.log(.info, "three")
    let messages = try journald.available().split(separator: "\n").filter { $0.hasPrefix("MESSAGE=") }
    #expect(messages == ["MESSAGE=one", "MESSAGE=two", "MESSAGE=three"])
  }

  @Test("only the very stream that systemd connected counts as the journal")
  func place() throws {
    let pair = try socketPair()
    let stream = try pair.takeReading()
    let status = try stream.status()
    let variable = "\(status.st_dev):\(status.st_ino)"
    let other = try pair.takeWriting()
    #expect(LogContext.place(of: stream, journalStream: variable) == .journal)
    #expect(LogContext.place(of: other, journalStream: variable) == .elsewhere)
    #expect(LogContext.place(of: stream, journalStream: nil) == .elsewhere)
  }
}
