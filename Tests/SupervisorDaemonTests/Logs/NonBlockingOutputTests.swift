import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("Output that nobody can hold up", .timeLimit(.minutes(5)))
struct NonBlockingOutputTests {
  /// Lines that arrived, and lines that notes say were dropped.
  private func account(_ text: String) -> (lines: Int, dropped: Int) {
    var (lines, dropped) = (0, 0)
    for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
      if words.first == "fdsupervisord:" { dropped += Int(words[1]) ?? 0 } else { lines += 1 }
    }
    return (lines, dropped)
  }

  /// Writes more than a sleeping reader's buffer and the queue hold, then reads: every line is accounted for.
  private func stall(_ pair: PipeLike) throws {
    let reader = Reader(try pair.takeReading())
    let stage = try LogStage(output: try pair.takeWriting())
    let line = Array((String(repeating: "x", count: 99) + "\n").utf8)
    for _ in 0..<10_000 { stage.output.write(line) }
    #expect(stage.output.waiting <= 256 << 10)
    #expect(stage.output.lost > 0)
    try reader.start(stage.loop)
    try stage.run { stage.output.waiting == 0 && stage.output.lost == 0 }
    stage.output.write(Array("end\n".utf8))
    try stage.run { String(decoding: reader.text.utf8.suffix(6), as: UTF8.self).contains("\nend") }
    let counted = account(reader.text)
    #expect(counted.lines + counted.dropped == 10_001)
    #expect(counted.lines > 1000 && counted.dropped > 0)
    let isTold = reader.text.contains("dropped: nobody reads the log")
    #expect(isTold)
  }

  @Test("a pipe that nobody reads costs lines, which are told when it is read again")
  func stalledPipe() throws { try stall(try pipePair()) }

  @Test("a socket that nobody reads costs lines, which are told when it is read again")
  func stalledSocket() throws { try stall(try socketPair()) }

  @Test("a stopped terminal costs lines, which are told when it goes on")
  func stalledTerminal() throws { try stall(try terminal()) }

  @Test("a FIFO that can't be opened again is asked by poll, and costs lines too")
  func polledFifo() throws {
    let stage = try LogStage()
    #expect(mkfifo(stage.path("fifo"), 0o600) == 0)
    let first = try FileDescriptor.open(stage.path("fifo"), O_RDWR | O_NONBLOCK)
    let writing = try FileDescriptor.open(stage.path("fifo"), O_WRONLY)
    // Without a reader at the time, opening it for writing fails with ENXIO, fifo(7).
    first.close()
    let output = try NonBlockingOutput(writing, loop: stage.loop)
    let reader = Reader(try FileDescriptor.open(stage.path("fifo"), O_RDONLY | O_NONBLOCK))
    let line = Array((String(repeating: "x", count: 99) + "\n").utf8)
    for _ in 0..<10_000 { output.write(line) }
    #expect(output.lost > 0)
    try reader.start(stage.loop)
    try stage.run { output.waiting == 0 && output.lost == 0 }
    try reader.read()
    let counted = account(reader.text)
    #expect(counted.lines + counted.dropped == 10_000)
  }

  @Test("the description that others share stays blocking")
  func sharedDescription() throws {
    let pair = try pipePair()
    let writing = try pair.takeWriting()
    let reading = try pair.takeReading()
    let stage = try LogStage(output: try writing.duplicate())
    stage.output.write(Array("hello\n".utf8))
    #expect(cl_fcntl(writing.number, F_GETFL, 0) & O_NONBLOCK == 0)
    #expect(try reading.available() == "hello\n")
  }

  @Test("a reader who went away costs lines, not the writer")
  func goneReader() throws {
    let pair = try pipePair()
    let stage = try LogStage(output: try pair.takeWriting())
    stage.output.write(Array("read by nobody\n".utf8))
    try pair.takeReading().close()
    for _ in 0..<3 { stage.output.write(Array("lost\nlost\n".utf8)) }
    #expect(stage.output.lost == 6)
    #expect(stage.output.waiting == 0)
    #expect(try stage.loop.turn(atMost: .zero) == false)
  }

  @Test("a full device costs lines, and each is counted once")
  func fullDevice() throws {
    let stage = try LogStage(output: try FileDescriptor.open("/dev/full", O_WRONLY))
    for _ in 0..<5 { stage.output.write(Array("lost\n".utf8)) }
    #expect(stage.output.lost == 5)
  }

  @Test("a regular file is written at the place where others go on")
  func sharedOffset() throws {
    let stage = try LogStage()
    let file = try FileDescriptor.open(stage.path("shared"), O_WRONLY | O_CREAT, mode: 0o600)
    let output = try NonBlockingOutput(try file.duplicate(), loop: stage.loop)
    try file.print("shell\n")
    output.write(Array("daemon\n".utf8))
    try file.print("shell again\n")
    #expect(stage.text("shared") == "shell\ndaemon\nshell again\n")
  }
}
