import Glibc
import Supervisor
import Testing

@Suite("What the service manager is told", .timeLimit(.minutes(5))) struct NotifyTests {
  private let world: World
  private let unit: Unit

  init() throws {
    world = try World()
    unit = try Unit(world)
  }

  private func service(_ name: String, _ words: String..., more: String = "") throws -> String {
    let program = try ChildProcess.built("misbehaving")
    let command = ([program, "tell=\(world.register.path)"] + words).map { "\"\($0)\"" }
    return "[service.\(name)]\ncommand = [\(command.joined(separator: ", "))]\n\(more)\n"
  }

  private func waiting(_ fifo: String) throws -> String {
    try service(
      "app", "present=app", "await=\(fifo)", "notify=READY=1", "rest", more: "readiness = \"notify\"")
  }

  private func awaitStatus(_ text: String) throws {
    do {
      try eventually("the status \"\(text)\"") { unit.notify.values(of: "STATUS").last == text ? true : nil }
    } catch let error as NeverHappened {
      throw NeverHappened(what: "\(error.what); were: \(unit.notify.values(of: "STATUS"))\n\(world.log)")
    }
  }

  @Test("READY=1 waits for the services, with time enough to start, and the status says for whom")
  func readyWaits() throws {
    let fifo = world.makeFifo("fifo")
    try unit.start(try waiting(fifo))
    try world.register.arrival(of: "app")
    try awaitStatus("0 of 1 service running, 1 starting")
    #expect(unit.notify.values(of: "READY").isEmpty)
    // Twice 30 s to start, 10 s to stop, half a second for strays, and 5 s for each SIGKILL.
    #expect(unit.notify.values(of: "EXTEND_TIMEOUT_USEC") == ["80500000"])
    try world.open(fifo: "fifo")
    try unit.awaitReady()
    #expect(unit.notify.values(of: "STATUS").last == "1 service running")
  }

  @Test("READY=1 does not wait for what failed, backs off, or waits for such a one")
  func readyInSpite() throws {
    try unit.start(
      try service("good", "rest")
        + service("bad", "exit=3", more: "restart = \"never\"\nreadiness = \"notify\"")
        + service(
          "crashing", "exit=4",
          more: "readiness = \"notify\"\nbackoff = { initial = \"1m\", max = \"1m\", jitter = 0.0 }")
        + service("dependent", "rest", more: "requires = [\"crashing\"]")
        + service("second", "rest", more: "after = [\"dependent\"]"))
    try unit.awaitReady()
    try world.reach("crashing", .backoff)
    var line = ""
    defer { if !line.contains("next launch in ") { Issue.record("\(line)\n\(world.log)") } }
    try eventually("a status that names those in trouble") {
      line = unit.notify.values(of: "STATUS").last ?? ""
      return line.hasPrefix("1 of 5 services running, 2 starting; bad: failed, ")
        && line.contains("; crashing: backing off, ") && line.contains(", next launch in ") ? true : nil
    }
  }

  @Test("ready = \"sockets\" does not wait, nor does a daemon that is no unit's main process")
  func readyAtOnce() throws {
    let fifo = world.makeFifo("fifo")
    try unit.start("[daemon]\nready = \"sockets\"\n" + waiting(fifo))
    try unit.awaitReady()
    #expect(try world.status().state == .starting)
    #expect(unit.notify.values(of: "EXTEND_TIMEOUT_USEC").isEmpty)
    try world.open(fifo: "fifo")
    try world.reach()
  }

  @Test("STOPPING=1 comes first, then how long the stop may take")
  func stopping() throws {
    let daemon = try unit.start(try service("app", "rest"))
    try unit.awaitReady()
    try daemon.send(SIGTERM)
    #expect(try daemon.status() == 0)
    unit.notify.takeMessages()
    let last = unit.notify.messages.suffix(2).map { $0.joined() }
    #expect(last == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=20500000"], "\(unit.notify.messages)")
  }

  @Test("a quick restart changes no status, and nothing is said while nothing changes")
  func quiet() throws {
    try unit.start(try service("app", "rest"))
    try unit.awaitReady()
    try awaitStatus("1 service running")
    for _ in 0..<5 { try world.restart() }
    Clock.pause(.milliseconds(300))
    let said = unit.notify.values(of: "STATUS")
    #expect(said.last == "1 service running" && said.count <= 3, "\(said)")
    #expect(try world.operate(.stop).ok)
    try awaitStatus("0 of 1 service running, 1 stopped")
  }

  @Test("nobody who does not listen delays the daemon")
  func deafness() throws {
    try unit.start(try service("app", "rest"))
    try unit.awaitReady()
    // More than a datagram socket queues (net.unix.max_dgram_qlen, unix(7)).
    for _ in 0..<12 {
      #expect(try world.operate(.stop).ok)
      Clock.pause(.milliseconds(120))
      #expect(try world.operate(.start).ok)
      Clock.pause(.milliseconds(120))
    }
    #expect(try world.operate(.stop).ok)
    try awaitStatus("0 of 1 service running, 1 stopped")
  }

  @Test("a loop that turns feeds the watchdog, and a stopped one does not")
  func watchdog() throws {
    let daemon = try unit.start(try service("app", "rest"), watchdog: .milliseconds(200))
    try unit.awaitReady()
    try eventually("WATCHDOG=1, five times") { unit.notify.values(of: "WATCHDOG").count >= 5 ? true : nil }
    try daemon.send(SIGSTOP)
    Clock.pause(.milliseconds(100))
    let count = unit.notify.values(of: "WATCHDOG").count
    Clock.pause(.milliseconds(400))
    #expect(unit.notify.values(of: "WATCHDOG").count == count)
    try daemon.send(SIGCONT)
  }

  @Test("the watchdog's SIGABRT ends the daemon, whatever the runtime wants to tell of it")
  func abortion() throws {
    let daemon = try unit.start(try service("app", "present=app", "rest"))
    try unit.awaitReady()
    try daemon.send(SIGABRT)
    #expect(try daemon.status() == 128 + SIGABRT)
  }

  @Test("nothing of it reaches a service")
  func environment() throws {
    let file = world.path("environment")
    try unit.start(
      """
      [socket.web]
      listen = "\(World.address())"
      [service.app]
      command = ["/bin/sh", "-c", "env >\(file).new; mv \(file).new \(file); exec sleep 50"]
      """, store: "16")
    try unit.awaitReady()
    let text = try eventually("the environment") {
      access(file, F_OK) == 0 ? world.text(of: "environment") : nil
    }
    for name in ["NOTIFY_SOCKET", "FDSTORE", "SYSTEMD_EXEC_PID", "LISTEN_", "WATCHDOG_"] {
      #expect(!text.contains(name), "\(text)")
    }
  }
}
