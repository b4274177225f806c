import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The log file of a service", .timeLimit(.minutes(5)))
struct LogFileTests {
  private func log(_ stage: LogStage, maxSize: Int = 50 << 20, keep: Int = 3) -> ServiceLog {
    var file = LogFileDefinition(path: stage.path("app.log"))
    (file.maxSize, file.keep) = (maxSize, keep)
    return ServiceLog(service: "app", definition: .file(file), in: stage.context)
  }

  /// All of a service's files, the oldest first.
  private func files(_ stage: LogStage, _ keep: Int = 3) -> [String] {
    (1...keep).reversed().map { stage.text("app.log.\($0)") } + [stage.text("app.log")]
  }

  @Test("takes every byte as it came, and is not for everybody to read")
  func verbatim() throws {
    let stage = try LogStage()
    let log = log(stage)
    let output = try log.descriptorForLaunch()
    try output.print("one\n\u{1B}[31mtwo\r\n\0partial")
    try stage.settle()
    #expect(stage.text("app.log") == "one\n\u{1B}[31mtwo\r\n\0partial")
    var status = stat()
    #expect(stat(stage.path("app.log"), &status) == 0)
    #expect(status.st_mode & 0o137 == 0)
  }

  @Test("is rotated at the end of a line, before it grows past its size")
  func rotation() throws {
    let stage = try LogStage()
    let log = log(stage, maxSize: 20)
    let output = try log.descriptorForLaunch()
    try output.print("12345678\nabcdefgh\nABCDEFGH\nlast\nx\n")
    try stage.settle()
    #expect(files(stage) == ["", "", "12345678\nabcdefgh\n", "ABCDEFGH\nlast\nx\n"])
  }

  @Test("moves a line along that began before the size was reached")
  func straddling() throws {
    let stage = try LogStage()
    let log = log(stage, maxSize: 20)
    let output = try log.descriptorForLaunch()
    for piece in ["12345678\nabc", "defgh", "ijklm\n", "n\n"] {
      try output.print(piece)
      try stage.settle()
    }
    #expect(files(stage) == ["", "", "12345678\n", "abcdefghijklm\nn\n"])
  }

  @Test("splits a line that no file could hold")
  func longLine() throws {
    let stage = try LogStage()
    let log = log(stage, maxSize: 10, keep: 4)
    let output = try log.descriptorForLaunch()
    try output.print("first\n" + String(repeating: "x", count: 25) + "\nlast\n")
    try stage.settle()
    #expect(files(stage, 4) == ["first\n", "xxxxxxxxxx", "xxxxxxxxxx", "xxxxx\n", "last\n"])
  }

  @Test("begins anew when no rotated file is kept")
  func keepNone() throws {
    let stage = try LogStage()
    let log = log(stage, maxSize: 20, keep: 0)
    let output = try log.descriptorForLaunch()
    for piece in ["12345678\nabcdefgh\n", "AB", "CDEFGH\n"] {
      try output.print(piece)
      try stage.settle()
    }
    #expect(stage.text("app.log") == "ABCDEFGH\n")
    #expect(access(stage.path("app.log.1"), F_OK) == -1)
  }

  @Test("loses nothing and keeps lines whole over many rotations", arguments: [1000, 4096, 65536, 1_000_000])
  func everyByte(maxSize: Int) throws {
    let stage = try LogStage()
    let log = log(stage, maxSize: maxSize, keep: 300)
    let status = try stage.finish(["/usr/bin/seq", "40000"], output: try log.descriptorForLaunch())
    #expect(status == 0)
    log.drainNow()
    let files = files(stage, 300).filter { !$0.isEmpty }
    let isWhole = files.joined() == (1...40000).map { "\($0)\n" }.joined()
    #expect(isWhole)
    #expect(files.allSatisfy { $0.utf8.last == UInt8(ascii: "\n") && $0.utf8.count <= maxSize })
    #expect(files.count >= (228_894 + maxSize - 1) / maxSize)
    #expect(files.dropLast().allSatisfy { $0.utf8.count > maxSize - 7 })
  }

  @Test("goes on after an earlier daemon, in a line of its own")
  func continued() throws {
    let stage = try LogStage()
    let before = try FileDescriptor.open(stage.path("app.log"), O_WRONLY | O_CREAT, mode: 0o600)
    try before.print("complete\npartial")
    let log = log(stage)
    try log.descriptorForLaunch().print("new\n")
    try stage.settle()
    #expect(stage.text("app.log") == "complete\npartial\nnew\n")
  }

  @Test("is told of when its folder is not there, and the service is not launched")
  func missingFolder() throws {
    let stage = try LogStage()
    let file = LogFileDefinition(path: stage.path("missing/app.log"))
    let log = ServiceLog(service: "app", definition: .file(file), in: stage.context)
    let error = #expect(throws: SystemError.self) { try log.descriptorForLaunch().close() }
    #expect(error?.description == "cannot open \(stage.path("missing/app.log")): No such file or directory")
  }

  @Test("on a full disk costs output, which is told once, and how much when there is room again")
  func fullDisk() throws {
    let stage = try LogStage()
    #expect(symlink("/dev/full", stage.path("app.log")) == 0)
    let log = log(stage)
    let output = try log.descriptorForLaunch()
    for _ in 0..<3 {
      try output.print("0123456789\n")
      try stage.settle()
    }
    let path = stage.path("app.log")
    let full =
      "fdsupervisord: app: log file \"\(path)\": No space left on device; output of 'app' is dropped\n"
    #expect(stage.written == full)
    unlink(path)
    log.reopen()
    try output.print("ke")
    try stage.settle()
    #expect(stage.written == full)
    try stage.pass(.milliseconds(1010))
    try output.print("pt\n")
    try stage.settle()
    #expect(stage.text("app.log") == "kept\n")
    #expect(
      stage.written == full
        + "fdsupervisord: app: log file \"\(path)\" is written again; 33 bytes of 'app' were dropped\n")
  }

  @Test("on a full disk never keeps a service waiting")
  func fullDiskService() throws {
    let stage = try LogStage()
    #expect(symlink("/dev/full", stage.path("app.log")) == 0)
    let log = log(stage)
    #expect(try stage.finish(["/usr/bin/seq", "200000"], output: try log.descriptorForLaunch()) == 0)
  }

  @Test("may be a FIFO, which is not waited for")
  func fifo() throws {
    let stage = try LogStage()
    #expect(mkfifo(stage.path("app.log"), 0o600) == 0)
    let reading = try FileDescriptor.open(stage.path("app.log"), O_RDONLY | O_NONBLOCK)
    let log = log(stage, maxSize: 10)
    #expect(try stage.finish(["/usr/bin/seq", "100000"], output: try log.descriptorForLaunch()) == 0)
    #expect(try reading.available().prefix(6) == "1\n2\n3\n")
    #expect(log.recentLines(3).isEmpty)
  }

  @Test("is found again after somebody moved it away", arguments: ["rename", "unlink"])
  func moved(how: String) throws {
    let stage = try LogStage()
    let log = log(stage)
    let output = try log.descriptorForLaunch()
    try output.print("old\n")
    try stage.settle()
    if how == "rename" {
      rename(stage.path("app.log"), stage.path("moved"))
    } else {
      unlink(stage.path("app.log"))
    }
    log.reopen()
    try output.print("new\n")
    try stage.settle()
    #expect(stage.text("app.log") == "new\n")
    if how == "rename" { #expect(stage.text("moved") == "old\n") }
  }

  @Test("is found again by itself, within a second of writing", arguments: ["rename", "unlink", "truncate"])
  func movedUnnoticed(how: String) throws {
    let stage = try LogStage()
    let log = log(stage, maxSize: 20)
    let output = try log.descriptorForLaunch()
    try output.print("12345678\nabcdefg\n")
    try stage.settle()
    switch how {
    case "rename": rename(stage.path("app.log"), stage.path("moved"))
    case "unlink": unlink(stage.path("app.log"))
    default: truncate(stage.path("app.log"), 0)
    }
    try stage.pass(.milliseconds(1010))
    try output.print("new and long\n")
    try stage.settle()
    #expect(files(stage) == ["", "", "", "new and long\n"])
  }

  @Test("is not rotated a second time when somebody else did it")
  func rotatedByOthers() throws {
    let stage = try LogStage()
    let log = log(stage, maxSize: 10)
    let output = try log.descriptorForLaunch()
    try output.print("12345678\n")
    try stage.settle()
    rename(stage.path("app.log"), stage.path("theirs"))
    try output.print("abcdefgh\n")
    try stage.settle()
    #expect(stage.text("theirs") == "12345678\n")
    #expect(files(stage) == ["", "", "", "abcdefgh\n"])
  }

  @Test("grows on, with a warning, when it can't be rotated")
  func failedRotation() throws {
    let stage = try LogStage()
    #expect(mkdir(stage.path("app.log.1"), 0o700) == 0)
    let log = log(stage, maxSize: 10, keep: 1)
    let output = try log.descriptorForLaunch()
    try output.print("12345678\nabcdefgh\n")
    try stage.settle()
    #expect(stage.text("app.log") == "12345678\nabcdefgh\n")
    #expect(stage.written.contains("cannot rotate log file"))
    #expect(stage.written.contains("Is a directory"))
  }

  @Test("shows its last lines, over a rotation too")
  func tail() throws {
    let stage = try LogStage()
    let log = log(stage, maxSize: 19)
    let output = try log.descriptorForLaunch()
    try output.print("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight")
    try stage.settle()
    #expect(files(stage) == ["", "one\ntwo\nthree\nfour\n", "five\nsix\nseven\n", "eight"])
    #expect(log.recentLines(1) == ["eight"])
    #expect(log.recentLines(3) == ["six", "seven", "eight"])
    #expect(log.recentLines(6) == ["three", "four", "five", "six", "seven", "eight"])
    #expect(log.recentLines(100) == ["one", "two", "three", "four", "five", "six", "seven", "eight"])
  }

  @Test("shows its last lines before the service was ever launched")
  func tailBeforeLaunch() throws {
    let stage = try LogStage()
    let before = try FileDescriptor.open(stage.path("app.log"), O_WRONLY | O_CREAT, mode: 0o600)
    try before.print("from yesterday\n")
    #expect(log(stage).recentLines(2) == ["from yesterday"])
  }

  @Test("can be followed")
  func follow() throws {
    let stage = try LogStage()
    let log = log(stage)
    let output = try log.descriptorForLaunch()
    var seen: [String] = []
    let subscription = log.follow { seen += $0 }
    try output.print("one\ntwo\n")
    try stage.settle()
    #expect(seen == ["one", "two"])
    subscription.cancel()
  }

  @Test("costs one descriptor beside that of the pipe, over all generations")
  func descriptors() throws {
    let stage = try LogStage()
    let log = log(stage)
    let first = try log.descriptorForLaunch()
    let pipe = "pipe:[\(try first.status().st_ino)]"
    first.close()
    for _ in 0..<20 { try log.descriptorForLaunch().close() }
    let open = (0..<4096).compactMap { number -> String? in
      var target = [CChar](repeating: 0, count: 4096)
      let length = readlink("/proc/self/fd/\(number)", &target, target.count)
      return length > 0
        ? String(decoding: target[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
    #expect(open.count { $0 == pipe } == 1)
    #expect(open.count { $0 == stage.path("app.log") } == 1)
  }
}
