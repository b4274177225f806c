import Glibc
import Supervisor
import Testing

@Suite("The daemon, by its command line,", .timeLimit(.minutes(5))) struct ControlTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func start(_ words: String..., daemon: String = "", more: String = "") throws {
    let program = try ChildProcess.built("misbehaving")
    let command = ([program, "register=\(world.register.path)"] + words).map { "\"\($0)\"" }
    try world.start(
      """
      [daemon]
      \(daemon)
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = [\(command.joined(separator: ", "))]
      sockets = ["web"]
      readiness = "notify"
      \(more)
      """)
  }

  @Test("shows and controls a service with each verb, as text and as JSON")
  func verbs() throws {
    try start("stray=session", "notify=READY=1", "serve")
    #expect(try world.ctl("wait", "app", "--timeout", "20s").status == 0)
    let status = try world.ctl("status", "app")
    #expect(status.status == 0 && status.output.contains("app   running  "))
    let tree = try world.ctl("tree", "app")
    let pid = try #require(try world.status().pid)
    let stray = try #require(world.register.all("session").first).identity.pid
    #expect(tree.status == 0 && tree.output.contains("\(pid)") && tree.output.contains("\(stray)"), "\(tree)")
    let sockets = try world.ctl("sockets")
    #expect(
      sockets.status == 0 && sockets.output.contains(address) && sockets.output.contains("4096"), "\(sockets)"
    )
    let logs = try world.ctl("logs", "app")
    #expect(logs.status == 0)
    let check = try world.ctl("check", "--config", world.path("fdsupervisord.toml"))
    #expect(check.status == 0, "\(check)")

    let json = { (arguments: String...) in
      let result = try world.ctl(arguments + ["--json"])
      #expect(result.errors == "" && result.output.hasSuffix("}\n"), "\(arguments): \(result)")
      return Array(result.output.utf8)
    }
    let processes = try Wire.decode(TreeReply.self, from: try json("tree", "app")).trees[0].processes
    #expect(processes.contains { $0.pid == stray && $0.parent == pid && $0.holds == ["\(address) as fd 3"] })
    let rows = try Wire.decode(SocketsReply.self, from: try json("sockets")).sockets
    #expect(rows[0].origin == "opened" && rows[0].services == ["app"])
    #expect(Set(rows[0].holders.map(\.pid)).isSuperset(of: [pid, stray]))
    let findings = try Wire.decode(DoctorReply.self, from: try json("doctor")).findings
    #expect(findings.first { $0.name == "escape" }?.ok == true, "\(findings)")
    for verb in ["restart", "stop", "start"] {
      let reply = try Wire.decode(OperationReply.self, from: try json(verb, "app"))
      #expect(reply.outcomes.map(\.ok) == [true])
    }
    #expect(try Wire.decode(StatusReply.self, from: try json("status")).services[0].generation == 3)
  }

  @Test("answers with the exit status that scripts rely on")
  func exitStatuses() throws {
    try start("notify=READY=1", "serve")
    try world.reach()
    #expect(try world.ctl("status", "app").status == 0)
    let unknown = try world.ctl("restart", "ap")
    #expect(unknown.status == 1 && unknown.errors.contains("no service is called \"ap\"; there are: app"))
    #expect(try world.ctl("frobnicate").status == 2)
    #expect(try world.ctl("stop", "app").status == 0)
    #expect(try world.ctl("status", "app").status == 3)
    #expect(try world.ctl("status", "app", "--json").status == 0)
    #expect(try world.ctl("wait", "app").status == 1)
    #expect(try world.ctl("shutdown").status == 0)
    #expect(try world.daemon?.status() == 0)
    #expect(access(world.control, F_OK) == -1)
    let none = try world.ctl("status")
    #expect(none.status == 4 && none.errors.contains("no daemon at"))
  }

  @Test("waits for a service as long as it is told to")
  func waiting() throws {
    let fifo = world.makeFifo("fifo")
    try start("await=\(fifo)", "notify=READY=1", "serve")
    let tooShort = try world.ctl("wait", "app", "--timeout", "50ms")
    #expect(
      tooShort.status == 1 && tooShort.errors.contains("not within 50 ms: app is starting"), "\(tooShort)")
    let waiting = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "wait", "app"])
    try world.open(fifo: "fifo")
    #expect(try waiting.status() == 0)
  }

  @Test("closes the port of a stopped service where that is asked for, and opens it at its start")
  func closing() throws {
    try start("notify=READY=1", "serve")
    try world.reach()
    #expect(try world.ctl("stop", "app").status == 0)
    #expect(try Client.isRefused(address) == false)
    #expect(try world.ctl("stop", "--close", "app").status == 0)
    #expect(try Client.isRefused(address))
    let byHand = try listener(on: address)
    let taken = try world.ctl("start", "app")
    #expect(
      taken.status == 1 && taken.errors.contains("cannot bind socket \"web\" to \(address)"), "\(taken)")
    byHand.close()
    #expect(try world.ctl("start", "app").status == 0)
    #expect(try Client.ask(address) == world.status().pid)
  }

  @Test("sends signals to the main process, of its own choice or the configured one")
  func signals() throws {
    try start("notify=READY=1", "serve", more: "reload_signal = \"SIGUSR2\"")
    try world.reach()
    let stray = try world.ctl("signal", "app", "-s", "usr1")
    #expect(stray.status == 0 && stray.output.contains("sent SIGUSR1 to pid"))
    #expect(try world.reach("app", .running, generation: 2).lastExit?.signal == "SIGUSR1")
    #expect(try world.ctl("reload", "app").status == 0)
    #expect(try world.reach("app", .running, generation: 3).lastExit?.signal == "SIGUSR2")
    #expect(try world.ctl("stop", "app").status == 0)
    #expect(try world.ctl("signal", "HUP", "app").status == 1)
  }

  @Test("follows what a service writes, over its restarts")
  func logs() throws {
    try start("print=one line of many", "notify=READY=1", "serve")
    try world.reach()
    let follower = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "logs", "-f", "app"],
      output: .file(world.path("followed")))
    for count in 1...3 {
      try eventually("\(count) lines") {
        let lines = world.text(of: "followed").split(separator: "\n")
        return lines.count == count ? #expect(lines.allSatisfy { $0 == "one line of many" }) : nil
      }
      try world.restart()
    }
    #expect(follower.isRunning)
  }

  @Test("is refused a second daemon, which touches nothing")
  func secondDaemon() throws {
    try start("notify=READY=1", "serve")
    let (pid, inode) = (try world.reach().pid, try world.inode())
    let second = try world.spawn(
      "[service.other]\ncommand = [\"sleep\", \"50\"]\n", name: "second.toml",
      output: .file(world.path("second.log")))
    #expect(try second.status() == 1)
    let text = world.text(of: "second.log")
    let first = try #require(world.daemon?.pid)
    #expect(text.contains("fdsupervisord is already running at \(world.control), pid \(first)"), "\(text)")
    #expect(try world.status().pid == pid && world.inode() == inode)
    #expect(try Client.ask(address) == pid)
  }

  @Test("lets nobody but its own user in, and a group where that is configured")
  func permissions() throws {
    try start("notify=READY=1", "serve")
    #expect(try mode(of: world.control) == 0o600)
    let other = try World()
    let group = try #require(getgrgid(getegid())).pointee
    try other.start("[daemon]\ncontrol_group = \"\(String(cString: group.gr_name))\"\n")
    #expect(try mode(of: other.control) == 0o660)
  }

  private func mode(of path: String) throws -> mode_t {
    var status = Glibc.stat()
    if lstat(path, &status) == -1 { throw SystemError("examine", path) }
    return status.st_mode & 0o7777
  }

  @Test("starts, stops and restarts services by pattern, and all of them")
  func patterns() throws {
    let names = ["web-1", "web-2", "db"]
    try world.start(names.map { "[service.\($0)]\ncommand = [\"sleep\", \"50\"]\n" }.joined())
    for name in names { try world.reach(name) }
    #expect(
      try world.ctl("restart", "web-*").output.split(separator: "\n").count { $0.contains("is ready") } == 2)
    #expect(try world.status("web-1").generation == 2 && world.status("db").generation == 1)
    #expect(try world.ctl("stop", "--all").status == 0)
    for name in names { #expect(try world.status(name).state == .stopped) }
  }
}
