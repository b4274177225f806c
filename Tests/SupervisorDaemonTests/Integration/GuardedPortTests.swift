import Glibc
import Supervisor
import Testing

@Suite("A guarded port", .timeLimit(.minutes(5))) struct GuardedPortTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func configuration() throws -> String {
    """
    [service.app]
    command = \(try world.command("bind=\(address)", "serve"))
    ports = ["\(address)"]
    readiness = "listen"
    """
  }

  /// A process that is none of the daemon's, and listens.
  private func stranger(_ words: String..., on place: String? = nil) throws -> Spawned {
    let stranger = try Spawned(
      try ChildProcess.built("misbehaving"),
      [words.first == "share" ? "share=\(place ?? address)" : "bind=\(place ?? address)"]
        + words.filter { $0 != "share" } + ["rest"],
      errors: .file(world.path("stranger.err")))
    try eventually("the stranger listens") {
      if !stranger.isRunning { throw NeverHappened(what: world.text(of: "stranger.err")) }
      return try Client.isRefused(address) ? nil : true
    }
    return stranger
  }

  /// Waits until the service is blocked and it is known by whom: the search runs beside the loop.
  private func blocked() throws -> String {
    try eventually("the occupant is named") {
      let status = try world.status()
      return status.state == .blocked && status.message?.contains(" by pid ") == true ? status.message : nil
    }
  }

  @Test(
    "that a stranger has blocks the launch; he is named in one line and spared, and awaited without polling")
  func foreignHolder() throws {
    let stranger = try stranger()
    try world.start(try configuration())
    let message = try blocked()
    #expect(message.hasPrefix("\(address) is taken by pid \(stranger.pid) \""), "\(message)")
    #expect(message.contains("misbehaving bind=\(address) rest\" (user ") && message.contains(", since "))
    #expect(try world.status().generation == 0)
    let outcome = try world.operate(.start)
    #expect(!outcome.ok && outcome.message.contains("pid \(stranger.pid)"))
    #expect(stranger.isRunning)
    #expect(world.log.split(separator: "\n").count { $0.contains("app: blocked: ") } == 1, "\(world.log)")

    try stranger.send(SIGKILL)
    _ = try stranger.status()
    let free = Clock.now()
    try world.reach()
    // Its pidfd tells: the look every two seconds is for what no pidfd can tell.
    #expect(Clock.now() - free < .seconds(1))
    #expect(try Client.ask(address) == world.status().pid)
  }

  @Test("is taken as soon as a stranger merely closes it")
  func closed() throws {
    let fifo = world.makeFifo("fifo")
    let stranger = try stranger("await=\(fifo)", "close")
    try world.start(try configuration())
    try world.reach("app", .blocked, generation: 0)
    try world.open(fifo: "fifo")
    try world.reach()
    #expect(stranger.isRunning)
  }

  @Test("is not free beside a wildcard, nor beside a listener that shares it")
  func overlaps() throws {
    let port = address.split(separator: ":")[1]
    let stranger = try stranger("share", on: "0.0.0.0:\(port)")
    try world.start(try configuration())
    let message = try blocked()
    #expect(message.contains("pid \(stranger.pid) \""), "\(message)")
    #expect(world.register.all("main") == [])
  }

  @Test("is freed when a person asks for just that")
  func freed() throws {
    let stranger = try stranger()
    try world.start(try configuration())
    try world.reach("app", .blocked, generation: 0)
    let result = try world.ctl("free", "--yes", address)
    #expect(result.status == 0 && result.output.contains("ended pid \(stranger.pid) \""), "\(result)")
    #expect(try stranger.status() == 128 + SIGTERM)
    try world.reach()
  }

  @Test("of a service of ours is not freed: that is what stop is for")
  func notFreed() throws {
    try world.start(try configuration(), running: ["app"])
    let result = try world.ctl("free", "--yes", address)
    #expect(
      result.status == 1 && result.errors.contains("it belongs to service app; use stop instead"), "\(result)"
    )
    #expect(try world.status().state == .running)
  }

  @Test("that is taken after a crash blocks the relaunch")
  func takenMeanwhile() throws {
    try world.start(
      """
      [service.app]
      command = \(try world.command("bind=\(address)", "serve"))
      ports = ["\(address)"]
      readiness = "listen"
      autostart = false
      """)
    #expect(try world.operate(.start).ok)
    #expect(try world.operate(.stop).ok)
    let stranger = try stranger()
    let outcome = try world.operate(.start)
    #expect(!outcome.ok && outcome.message.contains("pid \(stranger.pid) \""), "\(outcome)")
    try world.reach("app", .blocked)
    #expect(try world.operate(.stop).ok)
    #expect(stranger.isRunning)
  }

  @Test("has as holders those who listen, and never a client")
  func holders() throws {
    let stranger = try stranger()
    let client = try Client(address)
    try world.start("[service.app]\ncommand = [\"sleep\", \"50\"]\n")
    let reply = try holders(address)
    #expect(reply.holders.map(\.pid) == [stranger.pid], "\(reply)")
    #expect(
      reply.holders[0].command.hasSuffix("misbehaving bind=\(address) rest") && reply.holders[0].age >= 0)
    withExtendedLifetime(client) {}
  }

  @Test("that nobody has is told from one whose connections linger")
  func nobody() throws {
    try world.start(try configuration(), running: ["app"])
    _ = try Client.ask(address)
    let running = try holders(address)
    #expect(running.holders.map(\.service) == ["app"] && running.holders[0].generation == 1)
    #expect(try world.operate(.stop).ok)
    // The service closed first, so the end of the connection lingers on its side, tcp(7).
    let lingering = try holders(address).remarks
    #expect(lingering.count == 2 && lingering[1].contains("1 connection in TIME_WAIT"), "\(lingering)")
    #expect(try holders(World.address()).remarks.count == 1)
  }

  private func holders(_ address: String) throws -> HoldersReply {
    let result = try world.ctl("holders", address, "--json")
    #expect(result.status == 0, "\(result)")
    return try Wire.decode(HoldersReply.self, from: Array(result.output.utf8))
  }
}
