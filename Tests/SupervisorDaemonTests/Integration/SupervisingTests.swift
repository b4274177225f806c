import Glibc
import Supervisor
import Testing

@Suite("A supervised service", .timeLimit(.minutes(5))) struct SupervisingTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func start(_ words: String..., more: String = "", running: [String] = []) throws {
    let program = try ChildProcess.built("misbehaving")
    let command = ([program, "register=\(world.register.path)"] + words).map { "\"\($0)\"" }
    try world.start(
      """
      [daemon]
      log_level = "debug"
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = [\(command.joined(separator: ", "))]
      sockets = ["web"]
      \(more)
      """, running: running)
  }

  @Test(
    "is launched again as its policy says",
    arguments: [
      ("never", "exit=0", PublicState.stopped, 1), ("never", "exit=3", .failed, 1),
      ("on-failure", "exit=0", .stopped, 1), ("on-failure", "exit=3", .running, 2),
      ("on-failure", "crash", .running, 2), ("always", "exit=0", .running, 2),
      ("always", "exit=3", .running, 2),
    ])
  func policy(_ policy: String, _ end: String, _ state: PublicState, _ generation: Int) throws {
    try start("first", end, "serve", more: "restart = \"\(policy)\"")
    let status = try world.reach("app", state, generation: generation)
    #expect(status.generation == generation && status.restarts == generation - 1)
    let exit = try #require(status.lastExit)
    #expect(exit.text.hasPrefix(end == "crash" ? "SIGSEGV" : end == "exit=0" ? "exit 0" : "exit 3"))
    if state == .failed { #expect(status.message == "its main process ended: exit 3") }
    // In every case the port stays open: whoever connects waits, or is answered.
    #expect(try Client.isRefused(address) == false)
  }

  @Test("is launched again at once after its first failure, then later and later, up to the longest delay")
  func backoff() throws {
    try start(
      "exit=1",
      more: """
        backoff = { initial = "100ms", max = "400ms", factor = 2.0, jitter = 0.0 }
        start_limit = { burst = 100, interval = "1m" }
        """)
    let mains = try world.register.arrival(of: "main", count: 7)
    let ticks = UInt64(sysconf(Int32(_SC_CLK_TCK)))
    let times = mains.map { $0.identity.startTime * 1000 / ticks }
    let gaps = zip(times.dropFirst(), times).map { Int($0) - Int($1) }
    // A start time counts in ticks of 10 ms. Nothing bounds a delay from above on a busy machine.
    for (gap, least) in zip(gaps, [0, 100, 200, 400, 400, 400]) { #expect(gap >= least - 10, "\(gaps)") }
  }

  @Test("that reaches its start limit is tried at the longest backoff, with its port open")
  func startLimit() throws {
    try start(
      "exit=1",
      more: """
        backoff = { initial = "1ms", max = "500ms", jitter = 0.0 }
        start_limit = { burst = 4, interval = "1m" }
        """)
    let status = try world.reach("app", .backoff, generation: 4)
    #expect(status.message?.contains("4 launches within 1 m 0 s are the start limit") == true, "\(status)")
    #expect((1...500).contains(status.retryIn ?? 0))
    #expect(try Client.isRefused(address) == false)
    let mains = try world.register.arrival(of: "main", count: 6)
    let ticks = UInt64(sysconf(Int32(_SC_CLK_TCK)))
    #expect((mains[5].identity.startTime - mains[4].identity.startTime) * 1000 / ticks >= 490)
  }

  @Test("that reaches its start limit gives up where it was told to, with its port open, until it is started")
  func giveUp() throws {
    try start(
      "exit=1",
      more: """
        backoff = { initial = "1ms", max = "10ms" }
        start_limit = { burst = 4, interval = "1m", action = "fail" }
        """)
    try world.reach("app", .failed, generation: 4)
    #expect(try Client.isRefused(address) == false)
    #expect(world.register.all("main").count == 4)
    _ = try world.operate(.start)
    try world.reach("app", .failed, generation: 8)
  }

  @Test("is starting until it says READY=1; that of an outsider does not count")
  func notify() throws {
    let fifo = world.makeFifo("fifo")
    let given = world.path("given")
    try start("given=\(given)", "await=\(fifo)", "notify=READY=1", "serve", more: "readiness = \"notify\"")
    try world.reach("app", .starting)
    try eventually("the service wrote it down") { access(given, R_OK) == 0 ? true : nil }
    let line = world.text(of: "given").split(separator: "\n").first { $0.hasPrefix("env NOTIFY_SOCKET=") }
    let socket = String(try #require(line).dropFirst("env NOTIFY_SOCKET=".count))
    let outsider = try Client.make(SOCK_DGRAM, family: AF_UNIX)
    let message = Array("READY=1\nMAINPID=1".utf8)
    let number = outsider.number
    _ = try UnixStream.withAddress(of: socket) { connect(number, $0, $1) }
    #expect(send(number, message, message.count, 0) == message.count)
    try eventually("the daemon has ignored it") {
      world.log.contains("a notification from pid \(getpid()) ") ? true : nil
    }
    #expect(try world.status().state == .starting)

    try world.open(fifo: "fifo")
    try world.reach()
    #expect(try Client.ask(address) == world.status().pid)
  }

  @Test("is starting until its guarded port listens")
  func listen() throws {
    let fifo = world.makeFifo("fifo")
    let guarded = World.address()
    try start(
      "await=\(fifo)", "bind=\(guarded)", "serve",
      more: """
        readiness = "listen"
        ports = ["\(guarded)"]
        pass = "none"
        """)
    try world.reach("app", .starting)
    try world.open(fifo: "fifo")
    let status = try world.reach()
    #expect(try Client.ask(guarded) == status.pid)
  }

  @Test("that is not ready within start_timeout is stopped, and has failed")
  func startTimeout() throws {
    try start("rest", more: "readiness = \"notify\"\nstart_timeout = \"200ms\"\nrestart = \"never\"")
    let status = try world.reach("app", .failed)
    #expect(status.message == "not ready within 200 ms (start_timeout)")
    #expect(status.lastExit?.signal == "SIGTERM")
    try world.register.awaitEmpty("the failure")
  }

  @Test("whose last words explain its failure has them in the message")
  func lastWords() throws {
    try start(
      "print=the database is on fire", "exit=3", more: "readiness = \"notify\"\nrestart = \"never\"")
    let status = try world.reach("app", .failed)
    #expect(status.lastLines == ["the database is on fire"])
    let outcome = try world.operate(.start)
    #expect(!outcome.ok && outcome.lastLines?.last == "the database is on fire")
    #expect(world.log.contains("  | the database is on fire\n"))
  }

  @Test("that ignores SIGTERM is killed at once when the daemon is asked to stop a second time")
  func hurry() throws {
    try start("ignore", "serve", more: "stop_timeout = \"30s\"", running: ["app"])
    _ = try Client.ask(address)
    let daemon = try #require(world.daemon)
    try daemon.send(SIGTERM)
    try eventually("the daemon stops") { world.log.contains("SIGTERM: stopping all services") ? true : nil }
    #expect(daemon.isRunning)
    try daemon.send(SIGTERM)
    #expect(try daemon.status(within: .seconds(10)) == 0)
  }
}
