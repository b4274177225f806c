import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The output of a service", .timeLimit(.minutes(5)))
struct ServiceLogTests {
  @Test("stands between that of others with its name, aligned")
  func inherit() throws {
    let stage = try LogStage()
    let app = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let worker = ServiceLog(service: "worker", definition: .standard, in: stage.context)
    let first = try app.descriptorForLaunch()
    let second = try worker.descriptorForLaunch()
    try first.print("listening\nready\n")
    try stage.settle()
    try second.print("idle\n")
    try stage.settle()
    #expect(stage.written == "app    | listening\napp    | ready\nworker | idle\n")
  }

  @Test("is put together from pieces")
  func pieces() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let output = try log.descriptorForLaunch()
    for piece in ["one ", "line\ntwo", "\n\n"] {
      try output.print(piece)
      try stage.settle()
    }
    #expect(stage.written == "app | one line\napp | two\napp | \n")
  }

  @Test("is complete when a generation is over, the partial line too")
  func drain() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let output = try log.descriptorForLaunch()
    try output.print("starting\nsegmentation fau")
    #expect(log.recentLines(5).isEmpty)
    log.drainNow()
    #expect(log.recentLines(5) == ["starting", "segmentation fau"])
    #expect(stage.written == "app | starting\napp | segmentation fau\n")
    try output.print("next\n")
    try stage.settle()
    #expect(log.recentLines(1) == ["next"])
    #expect(stage.written.hasSuffix("fau\napp | next\n"))
  }

  @Test("is cut when a line does not end")
  func endlessLine() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let output = try log.descriptorForLaunch()
    try output.print(String(repeating: "x", count: 40_000))
    try stage.settle()
    log.drainNow()
    let lengths = stage.written.split(separator: "\n").map { $0.utf8.count - "app | ".utf8.count }
    #expect(lengths == [16384, 16384, 40_000 - 2 * 16384])
  }

  @Test("has a colour of its own where colours are wanted, the same each time")
  func colours() throws {
    let stage = try LogStage(colours: .on)
    for _ in 0..<2 {
      let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
      let output = try log.descriptorForLaunch()
      try output.print("hello\n")
      try stage.settle()
    }
    let lines = stage.written.split(separator: "\n")
    #expect(lines.count == 2 && lines[0] == lines[1])
    #expect(lines[0].hasPrefix("\u{1B}[") && lines[0].hasSuffix("mapp |\u{1B}[0m hello"))
  }

  @Test("keeps its colours on a terminal, and nothing that moves the cursor")
  func terminalOutput() throws {
    let pair = try terminal()
    let reader = Reader(try pair.takeReading())
    let stage = try LogStage(output: try pair.takeWriting())
    try reader.start(stage.loop)
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    try log.descriptorForLaunch().print("\u{1B}[32mgreen\u{1B}[0m\u{1B}[2J\tend\u{9B}1A\r\n")
    try stage.run { reader.text.hasSuffix("\r\n") }
    #expect(reader.text.contains("\u{1B}[32mgreen\u{1B}[0m\\x1b[2J"))
    #expect(reader.text.contains("end\\x9b1A"))
    #expect(!reader.text.contains("\u{1B}[2J") && !reader.text.contains("\\x0d"))
  }

  @Test("is readable when asked for, whatever bytes it is made of")
  func readable() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let output = try log.descriptorForLaunch()
    try output.print("\u{1B}[1;31mred\u{1B}[0m\tand \u{1B}]0;title\u{7}bell\u{7}\r\ncaf\u{E9}\n")
    _ = withUnsafeBytes(of: (UInt8(0xFF), UInt8(0x41), UInt8(0x0A))) {
      write(output.number, $0.baseAddress, 3)
    }
    try stage.settle()
    #expect(log.recentLines(3) == ["red\tand bell\\x07", "caf\u{E9}", "\u{FFFD}A"])
    #expect(log.recentLines(1) == ["\u{FFFD}A"])
    #expect(log.recentLines(0).isEmpty)
  }

  @Test("is remembered up to 64 KiB, in whole lines")
  func remembered() throws {
    let stage = try LogStage(output: try FileDescriptor.open("/dev/null", O_WRONLY))
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let output = try log.descriptorForLaunch()
    for block in 0..<40 {
      try output.print((0..<100).map { "line \(block * 100 + $0) of many\n" }.joined())
      try stage.settle()
    }
    let lines = log.recentLines(10_000)
    #expect(lines.last == "line 3999 of many")
    #expect(lines.count > 1500)
    #expect(lines.map { $0.utf8.count + 1 }.reduce(0, +) <= 64 << 10)
    #expect(lines == (4000 - lines.count..<4000).map { "line \($0) of many" })
  }

  @Test("goes nowhere when nobody wants it")
  func nowhere() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .none, in: stage.context)
    let output = try log.descriptorForLaunch()
    var null = stat()
    #expect(stat("/dev/null", &null) == 0)
    #expect(try output.status().st_rdev == null.st_rdev)
    #expect(log.recentLines(3).isEmpty)
  }

  @Test("makes no wake-up while nobody writes, whether the pipe has writers or not")
  func idle() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let output = try log.descriptorForLaunch()
    try output.print("hello\n")
    try stage.settle()
    #expect(try stage.loop.turn(atMost: .zero) == false)
    output.close()
    #expect(try stage.loop.turn(atMost: .zero) == false)
    #expect(stage.written == "app | hello\n")
  }

  @Test("of a stranger who keeps an old generation's pipe neither delays nor joins lines of the next")
  func stranger() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let old = try log.descriptorForLaunch()
    try old.print("old, no newline")
    log.drainNow()
    let new = try log.descriptorForLaunch()
    try new.print("new\n")
    try stage.settle()
    try old.print("still here\n")
    try stage.settle()
    #expect(stage.written == "app | old, no newline\napp | new\napp | still here\n")
  }

  @Test("is not non-blocking because an earlier generation made it so")
  func ownDescription() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let old = try log.descriptorForLaunch()
    try old.setBlocking(.nonBlocking)
    let new = try log.descriptorForLaunch()
    #expect(cl_fcntl(new.number, F_GETFL, 0) & O_NONBLOCK == 0)
    #expect(cl_fcntl(new.number, F_GETFD, 0) & FD_CLOEXEC != 0)
  }

  @Test("is taken from a service although nobody reads the daemon's terminal")
  func stalledReader() throws {
    let pair = try pipePair()
    let reader = Reader(try pair.takeReading())
    let stage = try LogStage(output: try pair.takeWriting())
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let status = try stage.finish(["/usr/bin/seq", "200000"], output: try log.descriptorForLaunch())
    #expect(status == 0)
    log.drainNow()
    #expect(log.recentLines(1) == ["200000"])
    #expect(stage.output.lost > 0)
    try reader.start(stage.loop)
    try stage.run { stage.output.waiting == 0 && stage.output.lost == 0 }
    try reader.read()
    let lines = reader.text.split(separator: "\n")
    let dropped = lines.compactMap {
      $0.hasPrefix("fdsupervisord: ") ? Int($0.split(separator: " ")[1]) : nil
    }
    #expect(lines.count - dropped.count + dropped.reduce(0, +) == 200_000)
  }

  @Test("can be followed until the follower leaves")
  func follow() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let output = try log.descriptorForLaunch()
    var seen: [[String]] = []
    try output.print("before\n")
    try stage.settle()
    let subscription = log.follow { seen.append($0) }
    var others = 0
    do {
      let other = log.follow { _ in others += 1 }
      try output.print("one\ntw")
      try stage.settle()
      withExtendedLifetime(other) {}
    }
    try output.print("o\n\u{1B}[31mthree")
    try stage.settle()
    log.drainNow()
    #expect(seen == [["one"], ["two"], ["three"]])
    #expect(others == 1)
    subscription.cancel()
    try output.print("after\n")
    try stage.settle()
    #expect(seen.count == 3)
  }

  @Test("may be followed by somebody who follows more and leaves while he is told")
  func followWhileTold() throws {
    let stage = try LogStage()
    let log = ServiceLog(service: "app", definition: .inherit, in: stage.context)
    let output = try log.descriptorForLaunch()
    var (first, second): (LogSubscription?, LogSubscription?)
    var seen: [String] = []
    first = log.follow { lines in
      seen += lines
      first?.cancel()
      second = log.follow { seen += $0 }
    }
    try output.print("one\n")
    try stage.settle()
    try output.print("two\n")
    try stage.settle()
    #expect(seen == ["one", "two"])
    withExtendedLifetime(second) {}
  }

  @Test("goes between that of others, with one warning, when there is no journal")
  func journalAbsent() throws {
    let stage = try LogStage()
    for name in ["a", "b"] {
      let log = ServiceLog(service: name, definition: .journal, in: stage.context)
      try log.descriptorForLaunch().print("hello\n")
      try stage.settle()
    }
    let warning =
      "cannot connect to the journal: No such file or directory; output goes to the daemon's own output"
    #expect(stage.written == "fdsupervisord: a: \(warning)\na | hello\nb | hello\n")
  }

  @Test("goes to the journal when the daemon's own output does")
  func journal() throws {
    let pair = try socketPair()
    let ends = Ends(try pair.takeWriting())
    let reading = try pair.takeReading()
    let stage = try LogStage(place: .journal, journal: ends.next)
    let log = ServiceLog(service: "app", definition: .standard, in: stage.context)
    try log.descriptorForLaunch().print("<3>broken\nmore")
    try stage.settle()
    #expect(try reading.available() == "<3>broken\n")
    log.drainNow()
    #expect(try reading.available() == "more\n")
    #expect(stage.written.isEmpty)
    #expect(ends.asked == ["app"])
  }

  @Test("goes to a journal that was restarted, whole, although a line found nobody there")
  func journalRestarted() throws {
    let (first, second) = (try socketPair(), try socketPair())
    let ends = Ends(try first.takeWriting())
    ends.add(try second.takeWriting())
    let reading = try second.takeReading()
    let stage = try LogStage(place: .journal, journal: ends.next)
    let log = ServiceLog(service: "app", definition: .journal, in: stage.context)
    let output = try log.descriptorForLaunch()
    try first.takeReading().close()
    try output.print("one\n")
    try stage.settle()
    try output.print("two\n")
    try stage.settle()
    #expect(try reading.available() == "one\ntwo\n")
  }

  @Test("waits for a journal that is gone, and goes there without more output; what has no room is counted")
  func journalGone() throws {
    let (first, second) = (try socketPair(), try socketPair())
    let ends = Ends(try first.takeWriting())
    let stage = try LogStage(place: .journal, journal: ends.next)
    let log = ServiceLog(service: "app", definition: .journal, in: stage.context)
    let output = try log.descriptorForLaunch()
    try first.takeReading().close()
    // 70,000 bytes in lines of ten; 63 KiB wait.
    for part in 0..<7 {
      try output.print((0..<1000).map { "\(100_000_000 + part * 1000 + $0)\n" }.joined())
      try stage.settle()
    }
    ends.add(try second.takeWriting())
    let reading = try second.takeReading()
    try stage.pass(.milliseconds(1200))
    let lines = try reading.available().split(separator: "\n")
    #expect(lines.first == "fdsupervisord: 549 lines dropped: journald did not read")
    #expect(lines.dropFirst().first == "100000549" && lines.last == "100006999" && lines.count == 6452)
  }
}

/// Streams that a journal would give, one after the other.
final class Ends {
  private var boxes: [Box] = []
  private(set) var asked: [String] = []

  private final class Box {
    var end: FileDescriptor?
    init(_ end: consuming FileDescriptor) { self.end = consume end }
  }

  init(_ end: consuming FileDescriptor) { boxes = [Box(end)] }

  func add(_ end: consuming FileDescriptor) { boxes.append(Box(end)) }

  func next(_ service: String) throws(SystemError) -> FileDescriptor {
    asked.append(service)
    guard !boxes.isEmpty, let end = boxes.removeFirst().end.take() else {
      throw SystemError("connect to the journal", code: ECONNREFUSED)
    }
    return end
  }
}
