import Glibc
import Supervisor
import Testing

@Suite("What a daemon was in the middle of", .timeLimit(.minutes(5))) struct TakeoverTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func reexec() throws { _ = try world.call(.reexec, NoParameters(), as: ReexecReply.self) }

  private var sockets: [SocketStatus] {
    get throws { try world.call(.sockets, NoParameters(), as: SocketsReply.self).sockets }
  }

  @Test("goes on: sockets of every kind, open and closed; and paths go with the daemon's end")
  func everyKind() throws {
    let path = world.path("app.sock")
    try world.start(
      """
      [socket.tcp]
      listen = ["\(address)", "\(World.address())"]
      [socket.udp]
      listen = "udp:\(World.address())"
      [socket.unix]
      listen = ["unix:\(path)", "unix:@\(path)", "unix-dgram:\(path).d", "unix-seqpacket:\(path).s"]
      [socket.closed]
      listen = "\(World.address())"
      [service.app]
      command = ["sleep", "60"]
      sockets = ["tcp", "udp", "unix"]
      [service.byhand]
      command = ["sleep", "60"]
      sockets = ["closed"]
      """, running: ["app", "byhand"])
    _ = try world.call(.stop, StopParameters(names: ["byhand"], close: true), as: OperationReply.self)
    func outline(_ sockets: [SocketStatus]) -> [String] {
      sockets.map { "\($0.name) \($0.address) \($0.inode) \($0.origin)" }
    }
    let before = outline(try sockets)
    #expect(before.count == 8 && before.last?.hasSuffix(" 0 closed") == true)
    for _ in 0..<2 { try reexec() }
    #expect(outline(try sockets) == before)
    #expect(try world.operate(.start, "byhand").ok)
    #expect(try sockets.last?.origin == "opened")
    // The path is still known to be its own: a service that removes it is mended.
    unlink(path)
    #expect(try world.restart().repaired.contains { $0.contains("had lost its path") })
    try reexec()
    let daemon = try #require(world.daemon)
    try daemon.send(SIGTERM)
    #expect(try daemon.status() == 0)
    for end in ["", ".d", ".s"] { #expect(access(path + end, F_OK) == -1, "\(end)") }
    #expect(access(world.control, F_OK) == -1 && access(world.control + ".notify", F_OK) == -1)
  }

  @Test("goes on: a service that is starting becomes ready, and what it said meanwhile is heard")
  func starting() throws {
    let (fifo, second) = (world.makeFifo("go"), world.makeFifo("go2"))
    try world.start(
      """
      [service.app]
      command = \(try world.command("present=here", "await=\(fifo)", "notify=READY=1", "rest"))
      readiness = "notify"
      [service.listener]
      command = \(try world.command("await=\(second)", "bind=\(address)", "serve"))
      ports = ["\(address)"]
      readiness = "listen"
      [service.after]
      command = ["sleep", "60"]
      after = ["app"]
      """)
    try world.reach("app", .starting)
    try reexec()
    #expect(try world.status("after").message == "waits for app")
    try world.open(fifo: "go")
    // READY=1 comes while the daemon is away, or is not.
    try reexec()
    try world.reach("app", .running)
    try world.reach("after", .running)
    #expect(try world.status("listener").state == .starting)
    try world.open(fifo: "go2")
    try world.reach("listener", .running)
  }

  @Test("goes on: the processes of a keeper that was killed are swept, and the service is launched again")
  func orphans() throws {
    try world.start(
      """
      [service.app]
      command = \(try world.command("stray=stubborn", "stray=orphan", "ignore", "rest"))
      stray_timeout = "1s"
      """, running: ["app"])
    try world.register.arrival(of: "stubborn")
    let tree = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees[0]
    let pid = try #require(tree.keeper)
    let keeper = try #require(ProcessTable.stat(of: pid))
    _ = try PidFD.open(keeper.identity).send(SIGKILL)
    for _ in 0..<4 { try reexec() }
    try world.reach("app", .running, generation: 2)
    #expect(world.register.overlaps == [])
  }

  @Test("goes on: a port that a stranger has is awaited")
  func blocked() throws {
    let stranger = try Spawned(try ChildProcess.built("misbehaving"), ["bind=\(address)", "rest"])
    try eventually("the stranger listens") { try Client.isRefused(address) ? nil : true }
    try world.start(
      """
      [service.app]
      command = \(try world.command("bind=\(address)", "serve"))
      ports = ["\(address)"]
      readiness = "listen"
      """)
    func isNamed() throws -> Bool? {
      let status = try world.status()
      return status.state == .blocked && status.message?.contains(" by pid \(stranger.pid) ") == true
        ? true : nil
    }
    try eventually("he is named") { try isNamed() }
    for _ in 0..<2 {
      try reexec()
      try eventually("he is named") { try isNamed() }
    }
    try stranger.send(SIGKILL)
    _ = try stranger.status()
    #expect(try world.reach().generation == 1)
  }

  @Test("ends when it is told to end, at whatever moment", arguments: [0, 8, 14, 18, 20, 22, 24, 26, 30, 40])
  func termination(milliseconds: Int) throws {
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = \(try world.command("stray=orphan", "serve"))
      sockets = ["web"]
      """, running: ["app"])
    let daemon = try #require(world.daemon)
    let tool = try Spawned(try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "reexec"])
    Clock.pause(.milliseconds(milliseconds))
    try daemon.send(SIGTERM)
    #expect(try daemon.status() == 0, "\(world.log)")
    _ = try tool.status()
    try world.register.awaitEmpty("the end")
  }

  @Test("goes on where the new program rehearsed, but can't be executed any more")
  func undone() throws {
    let programs = try ProgramFolder(in: world)
    try world.start(
      """
      [service.app]
      command = \(try world.command("stray=stubborn", "ignore", "rest"))
      stop_timeout = "500ms"
      stray_timeout = "500ms"
      [service.talker]
      command = ["sh", "-c", "echo begin; read x < \(world.makeFifo("go")); echo spoken; sleep 60"]
      """, program: programs.daemon, running: ["app", "talker"])
    let before = try world.status()
    let follower = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "logs", "-f", "talker"],
      output: .file(world.path("followed")))
    try eventually("it follows") { world.text(of: "followed") == "begin\n" ? true : nil }
    try programs.replace(
      withScript: "rm \"$0\"; exec \(try ChildProcess.built("fdsupervisord")) \"$@\"")
    let other = try ControlClient(path: world.control)
    #expect(throws: ControlClientError.self) { try reexec() }
    #expect(
      world.log.contains("cannot execute \(programs.daemon): No such file or directory; the daemon goes on"))
    #expect(try world.status() == before)
    _ = try other.call(.status, ServiceSelection(names: []), as: StatusReply.self)
    try world.open(fifo: "go")
    try eventually("the follower goes on") { world.text(of: "followed") == "begin\nspoken\n" ? true : nil }
    try follower.send(SIGTERM)
    let stop = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "stop", "app"],
      errors: .file(world.path("stop.err")))
    try world.reach("app", .stopping)
    try programs.replace(
      withScript: "rm \"$0\"; exec \(try ChildProcess.built("fdsupervisord")) \"$@\"")
    #expect(throws: ControlClientError.self) { try reexec() }
    _ = try stop.status()
    #expect(try world.reach("app", .stopped).lastExit?.signal == "SIGKILL")
  }

  @Test("is told to whoever started the daemon, and then it is quiet")
  func quiet() throws {
    try world.start(
      (0..<5).map { "[service.s\($0)]\ncommand = [\"sleep\", \"60\"]\n" }.joined(), running: ["s0", "s4"])
    // The one of the start is gone; the path is the same.
    let notify = try NotifyListener(world.path("notify.sock"))
    try reexec()
    try eventually("it is told") { try notify.hasSaid("READY=1") ? true : nil }
    #expect(try notify.hasSaid("RELOADING=1"))
    let daemon = try #require(world.daemon).pid
    func slices() -> [UInt8]? { contents(ofSmallFile: "/proc/\(daemon)/schedstat") }
    try eventually("two quiet seconds") {
      let before = slices()
      Clock.pause(.seconds(2))
      return slices() == before ? true : nil
    }
    let status = String(decoding: contents(ofSmallFile: "/proc/\(daemon)/status") ?? [], as: UTF8.self)
    #expect(status.contains("\nThreads:\t1\n"))
  }
}
