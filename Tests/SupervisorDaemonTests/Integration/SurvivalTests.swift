// A service with survive = true over SIGKILL of the daemon, and what happens to those without.

import Glibc
import Supervisor
import Testing

@Suite("Over SIGKILL of the daemon", .timeLimit(.minutes(5))) struct SurvivalTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func configuration(_ words: String..., keys: String = "survive = true") throws -> String {
    let program = try ChildProcess.built("misbehaving")
    let command = [program, "register=\(world.register.path)"] + words + ["serve"]
    return """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = [\(command.map { "\"\($0)\"" }.joined(separator: ", "))]
      sockets = ["web"]
      readiness = "notify"
      stray_timeout = "200ms"
      backoff = { initial = "1ms" }
      \(keys)
      """
  }

  #if arch(arm64)
    private static let bindCall = "200 "
  #else
    private static let bindCall = "49 "
  #endif

  private func killDaemon() throws {
    world.end = .own
    let daemon = try #require(world.daemon)
    try daemon.send(SIGKILL)
    #expect(try daemon.status() == 128 + SIGKILL)
    world.end = .clean
  }

  private func keeper() throws -> Int32 {
    let tree = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees[0]
    return try #require(tree.keeper)
  }

  private func kill(_ pid: Int32) throws {
    let stat = try #require(ProcessTable.stat(of: pid))
    _ = try PidFD.open(stat.identity).send(SIGKILL)
  }

  @Test(
    "a service that survives goes on: process, generation and listener; its output and its restarts as before"
  )
  func goesOn() throws {
    let configuration = try configuration("notify=READY=1")
    try world.start(configuration, running: ["app"])
    let before = try world.status()
    let inode = try world.inode()
    let keeper = try keeper()
    var descriptors: Int?
    for _ in 1...3 {
      try killDaemon()
      try world.start(configuration)
      let status = try world.status()
      #expect(status.pid == before.pid && status.generation == 1 && status.restarts == 0)
      #expect(status.state == .running && abs(status.since - before.since) < 2)
      #expect(try world.inode() == inode && self.keeper() == keeper)
      #expect(try Client.ask(address) == before.pid)
      let first = try descriptors ?? world.descriptors
      descriptors = first
      // The first count may have met a control connection on its way out.
      try eventually("no more descriptors than before") { try world.descriptors <= first ? true : nil }
    }
    #expect(world.log.contains("generation 1 goes on, pid \(before.pid ?? 0)"))
    let holders = try world.call(.holders, AddressParameters(address: "web"), as: HoldersReply.self).holders
    #expect(holders.contains { $0.pid == keeper && $0.command == "keeper of app" && $0.service == "app" })
    #expect(try world.restart().generation == 2)
    #expect(world.register.overlaps == [], "\(world.log)")
  }

  @Test("again and again no connection is refused, and none is answered by another process")
  func underLoad() throws {
    let configuration = try configuration("notify=READY=1")
    try world.start(configuration, running: ["app"])
    let pid = try world.status().pid
    let load = try Load(on: address, folder: world.folder)
    for _ in 1...10 {
      try killDaemon()
      try world.start(configuration, running: ["app"])
    }
    let result = try load.end()
    #expect(result.failures == [])
    #expect(Set(result.answers) == [pid])
  }

  @Test("the end of a service is told, its strays are swept, and it is launched again")
  func diedMeanwhile() throws {
    let configuration = try configuration("stray=orphan", "notify=READY=1")
    try world.start(configuration, running: ["app"])
    let pid = try #require(try world.status().pid)
    let before = world.register.entries
    try killDaemon()
    try kill(pid)
    try eventually("the main process is gone") { ProcessTable.stat(of: pid) == nil ? true : nil }
    let client = try Client(address)
    try world.start(configuration)
    let status = try world.reach("app", .running, generation: 2)
    #expect(status.lastExit?.pid == pid && status.lastExit?.signal == "SIGKILL")
    #expect(try client.answer() == status.pid)
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(world.register.overlaps == [], "\(world.log)")
  }

  @Test("a bind that comes while there is no daemon waits for the next one, and gets its listener there")
  func bindMeanwhile() throws {
    let (fifo, second) = (world.makeFifo("go"), World.address())
    try world.write(
      """
      import os, socket
      open("\(fifo)").read()
      listeners = []
      for address in ("\(address)", "\(second)"):
          host, port = address.split(":")
          s = socket.socket()
          s.bind((host, int(port)))
          s.listen(1)
          listeners.append(s)
      while True:
          for s in listeners:
              connection, _ = s.accept()
              connection.sendall(b"%d\\n" % os.getpid())
              connection.close()

      """, to: "server.py")
    let configuration = """
      [socket.web]
      listen = "\(address)"
      [socket.other]
      listen = "\(second)"
      [service.app]
      command = ["python3", "\(world.path("server.py"))"]
      sockets = ["web", "other"]
      pass = "intercept"
      survive = true
      """
    try world.start(configuration, running: ["app"])
    let before = try world.status()
    let inodes = [try world.inode("web"), try world.inode("other")]
    try killDaemon()
    try world.open(fifo: "go")
    try eventually("it waits in its bind") {
      let syscall = contents(ofSmallFile: "/proc/\(before.pid ?? 0)/syscall", limit: 4096) ?? []
      return String(decoding: syscall, as: UTF8.self).hasPrefix(Self.bindCall) ? true : nil
    }
    try world.start(configuration)
    #expect(try world.status().pid == before.pid)
    #expect(try [world.inode("web"), world.inode("other")] == inodes)
    for one in [address, second] { #expect(try Client.ask(one) == before.pid, "\(world.log)") }
  }

  @Test("READY=1 that came while there was no daemon counts")
  func readyMeanwhile() throws {
    let fifo = world.makeFifo("go")
    let configuration = try configuration("present=waits", "await=\(fifo)", "notify=READY=1", "present=said")
    try world.start(configuration)
    try world.register.arrival(of: "waits")
    // Over the second death, too: what is sent goes to the path, and that leads to a socket that somebody keeps.
    for _ in 1...2 {
      #expect(try world.status().state == .starting)
      try killDaemon()
      try world.start(configuration)
    }
    try killDaemon()
    try world.open(fifo: "go")
    try world.register.arrival(of: "said")
    try world.start(configuration)
    #expect(try world.reach("app", .running).generation == 1)
  }

  @Test("what was printed meanwhile is in the log")
  func output() throws {
    let fifo = world.makeFifo("go")
    let configuration = try configuration(
      "notify=READY=1", "await=\(fifo)", "print=meanwhile", "present=said")
    try world.start(configuration, running: ["app"])
    try killDaemon()
    try world.open(fifo: "go")
    try world.register.arrival(of: "said")
    #expect(!world.log.contains("| meanwhile"))
    try world.start(configuration)
    try eventually("the line is in the log") { world.log.contains("| meanwhile") ? true : nil }
  }

  @Test("a service that has its listener as standard input keeps it")
  func standardInput() throws {
    let server = """
      import os, socket
      listener = socket.socket(fileno=0)
      while True:
          client = listener.accept()[0]
          client.send(b'%d' % os.getpid())
          client.close()
      """
    try world.write(server, to: "server.py")
    let configuration = """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["python3", "\(world.path("server.py"))"]
      sockets = ["web"]
      pass = "stdin"
      survive = true
      """
    try world.start(configuration, running: ["app"])
    let (pid, inode) = (try #require(try world.status().pid), try world.inode())
    try killDaemon()
    #expect(try Client.ask(address) == pid)
    try world.start(configuration)
    #expect(try world.status().pid == pid && world.inode() == inode && Client.ask(address) == pid)
  }

  @Test("of a second daemon that can't start nothing is lost for the third")
  func failedStart() throws {
    let configuration = try configuration("notify=READY=1")
    try world.start(configuration, running: ["app"])
    let pid = try world.status().pid
    try killDaemon()
    let taken = World.address()
    let stranger = try listener(on: taken)
    let failing = try world.spawn(configuration + "\n[socket.other]\nlisten = \"\(taken)\"\n")
    #expect(try failing.status() == 1)
    withExtendedLifetime(stranger) {}
    try world.start(configuration)
    #expect(try world.status().pid == pid && Client.ask(address) == pid)
  }

  @Test("a service whose definition changed meanwhile is relaunched, in order")
  func changed() throws {
    try world.start(try configuration("notify=READY=1"), running: ["app"])
    let pid = try #require(try world.status().pid)
    try killDaemon()
    try world.start(try configuration("notify=READY=1", keys: "survive = true\numask = \"027\""))
    let status = try world.reach("app", .running, generation: 2)
    #expect(status.report?.stopped?.pid == pid && status.report?.stopped?.signals == ["SIGTERM"])
    #expect(world.register.overlaps == [], "\(world.log)")
    #expect(world.log.contains("its definition changed while there was no daemon"))
  }

  @Test("a service that the configuration does not have any more is ended, and named")
  func removed() throws {
    try world.start(try configuration("notify=READY=1"), running: ["app"])
    try killDaemon()
    try world.start("[service.other]\ncommand = [\"sleep\", \"50\"]\n")
    try world.register.awaitEmpty("the new daemon's start")
    try eventually("it is named") { world.log.contains("app/1 is gone") ? true : nil }
    #expect(try Client.isRefused(address))
  }

  @Test(
    "nothing is launched beside the rest of a service that does not survive, and its generations go on counting"
  )
  func ordinary() throws {
    let program = try ChildProcess.built("misbehaving")
    let configuration = """
      [service.app]
      command = ["\(program)", "register=\(world.register.path)", "stray=stubborn", "rest"]
      stray_timeout = "1s"
      """
    try world.start(configuration, running: ["app"])
    try world.register.arrival(of: "stubborn")
    let before = world.register.entries
    try killDaemon()
    try world.start(configuration)
    try world.reach("app", .running, generation: 2)
    #expect(world.register.overlaps == [], "\(world.log)")
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
  }

  @Test("and then of its keeper the next daemon sweeps what it can find, and launches again")
  func keeperKilledLater() throws {
    let configuration = try configuration("notify=READY=1")
    try world.start(configuration, running: ["app"])
    let before = world.register.entries
    try killDaemon()
    try world.start(configuration)
    try kill(try keeper())
    let status = try world.reach("app", .running, generation: 2)
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(try Client.ask(address) == status.pid)
    #expect(world.log.contains("its keeper was killed, and was no child of this daemon"))
  }

  @Test(
    "and of its keeper, too, what goes on is named as a stranger: nothing is taken over that nobody vouches for"
  )
  func keeperKilledMeanwhile() throws {
    let configuration = try configuration("notify=READY=1")
    try world.start(configuration, running: ["app"])
    let keeper = try keeper()
    let pid = try #require(try world.status().pid)
    try killDaemon()
    try kill(keeper)
    let next = try world.spawn(configuration)
    #expect(try next.status() == 1)
    #expect(world.log.contains("Address already in use (held by pid \(pid)"), "\(world.log)")
    world.end = .own
    try kill(pid)
  }
}
