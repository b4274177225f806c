import CLinux
import Glibc
import Supervisor
import Testing

@Suite("What a service writes", .timeLimit(.minutes(5))) struct ServiceOutputTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func configuration(_ words: String..., more: String = "") throws -> String {
    let program = try ChildProcess.built("misbehaving")
    let command = ([program, "register=\(world.register.path)"] + words + ["notify=READY=1", "serve"])
      .map { "\"\($0)\"" }
    return """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = [\(command.joined(separator: ", "))]
      sockets = ["web"]
      readiness = "notify"
      \(more)
      """
  }

  @Test("goes where the daemon writes, with the service's name before each line")
  func inherited() throws {
    try world.start(try configuration("print=hello there"), running: ["app"])
    try eventually("the line came") { world.log.contains("app | hello there\n") ? true : nil }
  }

  @Test("goes to a file that is rotated at the ends of lines, and goes on over restarts")
  func rotation() throws {
    let path = world.path("app.log")
    // 100 KiB a generation, in lines of 1 KiB.
    try world.start(
      try configuration(
        "chatter=102400", more: "log = { file = \"\(path)\", max_size = \"64KiB\", keep = 3 }"),
      running: ["app"])
    for _ in 0..<2 { try world.restart() }
    let daemon = try #require(world.daemon)
    try daemon.send(SIGTERM)
    #expect(try daemon.status() == 0)
    let texts = ["app.log", "app.log.1", "app.log.2", "app.log.3"].map { world.text(of: $0) }
    for text in texts {
      #expect(text.utf8.count <= 64 << 10)
      #expect(text.split(separator: "\n").allSatisfy { $0.utf8.count == 1023 })
      #expect(text.isEmpty || text.hasSuffix("\n"))
    }
    #expect(texts[1...].allSatisfy { $0.utf8.count == 64 << 10 })
    #expect(access(world.path("app.log.5"), F_OK) == -1)
    #expect(!world.log.contains("xxxx"))
  }

  @Test("never makes the daemon wait for a reader who has stalled")
  func stalledReader() throws {
    let pipe = try FileDescriptor.pipe()
    try world.start(
      try configuration("chatter=4194304"), output: .descriptor(pipe.writing.number), running: ["app"])
    #expect(try Client.ask(address) == world.status().pid)
    try world.restart()
    #expect(try Client.ask(address) == world.status().pid)
    withExtendedLifetime(pipe.reading) {}
  }

  @Test("is dropped where the disk is full, and the service goes on")
  func fullDisk() throws {
    try world.start(try configuration("chatter=1048576"), output: .device("/dev/full"), running: ["app"])
    try world.restart()
    #expect(try Client.ask(address) == world.status().pid)
  }

  @Test("does not keep a generation alive when a stranger holds the pipe")
  func heldPipe() throws {
    let path = world.path("stranger.sock")
    try world.write("", to: "stranger")
    let stranger = try Spawned(
      try ChildProcess.built("misbehaving"), ["tell=\(world.path("stranger"))", "take=\(path)", "rest"])
    try eventually("the stranger listens") { access(path, F_OK) == 0 ? true : nil }
    // Descriptor 3 is a copy of the service's output; that is what the stranger gets.
    try world.start(
      """
      [service.app]
      command = ["/bin/sh", "-c", "exec \(try ChildProcess.built("misbehaving")) send=\(path) rest 3>&1"]
      """, running: ["app"])
    try eventually("the stranger has it") { world.text(of: "stranger").contains("took ") ? true : nil }
    try world.restart()
    #expect(try world.operate(.stop).ok && stranger.isRunning)
  }
}
