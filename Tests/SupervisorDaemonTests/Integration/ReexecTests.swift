import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A daemon that is replaced in its process", .timeLimit(.minutes(5))) struct ReexecTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func web(_ words: String..., more: String = "") throws -> String {
    let program = try ChildProcess.built("misbehaving")
    let command =
      ([program, "register=\(world.register.path)"] + words + ["notify=READY=1\nSTATUS=fine", "serve"])
      .map { "\"\($0.split(separator: "\n").joined(separator: "\\n"))\"" }
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

  @discardableResult private func reexec() throws -> ReexecReply {
    try world.call(.reexec, NoParameters(), as: ReexecReply.self)
  }

  private func allStatus() throws -> [ServiceStatus] {
    try world.call(.status, ServiceSelection(names: []), as: StatusReply.self).services
  }

  @Test("is the same for everybody: its pid, its services, their status, its listeners, its descriptors")
  func same() throws {
    let others = """
      [service.resting]
      command = ["sleep", "60"]
      autostart = false
      [service.failing]
      command = ["sh", "-c", "echo broken; exit 3"]
      restart = "never"
      [service.plain]
      command = ["sleep", "60"]

      """
    try world.start(try web() + others, running: ["app", "plain"])
    try world.reach("failing", .failed)
    try world.restart("plain")
    try eventually("the status text came") { try world.status().message == "fine" ? true : nil }
    let pid = try #require(world.daemon?.pid)
    let (before, inode) = (try allStatus(), try world.inode())
    let descriptors = try world.descriptors
    for _ in 0..<3 {
      let reply = try reexec()
      #expect(reply.pid == pid && reply.services == 2)
      #expect(reply.from == Product.version && reply.to == Product.version)
    }
    #expect(try allStatus() == before)
    #expect(try world.inode() == inode)
    #expect(try Client.ask(address) == world.status().pid)
    // Fewer: what was inherited at the start, or is opened when it is needed.
    try eventually("no descriptor is left over") { try world.descriptors <= descriptors ? true : nil }
    let tree = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees[0]
    let keeper = try #require(tree.keeper)
    #expect(ProcessTable.stat(of: keeper)?.parent == pid)
    // What it is asked afterwards it does as before.
    #expect(try world.restart().generation == 2)
    #expect(try world.operate(.start, "resting").ok)
    #expect(try world.operate(.stop, "plain").ok)
    let tool = try world.ctl("reexec")
    #expect(tool.status == 0 && tool.output.contains("pid \(pid), 2 services kept"), "\(tool)")
  }

  @Test("loses no exit of a service that dies at that moment")
  func deaths() throws {
    try world.start(
      try web(more: "backoff = { initial = \"1ms\", max = \"2ms\" }\nstart_limit = { burst = 1000 }"),
      running: ["app"])
    var generation = 1
    for round in 0..<12 {
      let status = try world.reach("app", .running, generation: generation)
      let pid = try #require(status.pid)
      let process = try PidFD.open(try #require(ProcessTable.stat(of: pid)).identity)
      // Beside the call: before, in the middle, and after.
      let tool = try Spawned(
        try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "reexec"])
      Clock.pause(.milliseconds(round * 3))
      _ = try process.send(SIGKILL)
      #expect(try tool.status() == 0, "\(world.log)")
      generation += 1
      let next = try world.reach("app", .running, generation: generation)
      #expect(
        next.generation == generation && next.lastExit?.signal == "SIGKILL" && next.lastExit?.pid == pid)
    }
    #expect(world.register.overlaps == [])
  }

  @Test("goes on with a stop, a sweep and a backoff that were under way")
  func underWay() throws {
    let stubborn = try world.command("stray=stubborn", "stray=orphan", "ignore", "rest")
    let others = """
      [service.stubborn]
      command = \(stubborn)
      stop_timeout = "1s"
      stray_timeout = "1s"
      [service.failing]
      command = ["sh", "-c", "exit 3"]
      backoff = { initial = "2s", jitter = 0.0 }

      """
    try world.start(try web() + others, running: ["app", "stubborn"])
    try world.register.arrival(of: "stubborn")
    let waiting = try world.reach("failing", .backoff, generation: 2)
    let stop = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "stop", "stubborn"],
      errors: .file(world.path("stop.err")))
    try world.reach("stubborn", .stopping)
    try reexec()
    #expect(try stop.status() == 1)
    #expect(world.text(of: "stop.err").contains("the daemon is being replaced; ask again"))
    // Through SIGTERM, SIGKILL, the sweep and its escalation.
    for _ in 0..<8 {
      try reexec()
      Clock.pause(.milliseconds(150))
    }
    let stopped = try world.reach("stubborn", .stopped)
    #expect(
      stopped.lastExit?.signal == "SIGKILL" && stopped.report?.stopped?.signals == ["SIGTERM", "SIGKILL"])
    let failing = try world.reach("failing", .backoff, generation: 3)
    #expect(failing.generation > waiting.generation && failing.lastExit?.status == 3)
    #expect(try world.status("app").generation == 1)
  }

  @Test("passes on every line of a service, to the log and to who follows it")
  func output() throws {
    let path = world.path("app.log")
    let script =
      "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); printf 'line %d and' $i; printf ' more\\n'; done; sleep 60"
    try world.start(
      """
      [service.app]
      command = ["sh", "-c", "echo begin; read x < \(world.makeFifo("go")); \(script.replacing("\\", with: "\\\\"))"]
      log = { file = "\(path)" }
      [service.other]
      command = ["sh", "-c", "echo begin; read x < \(world.makeFifo("go2")); \(script.replacing("\\", with: "\\\\"))"]
      """, running: ["app", "other"])
    let followed = world.path("followed")
    let reader = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "logs", "-f", "app"],
      output: .file(followed), errors: .file(followed))
    try eventually("it follows") { world.text(of: "followed") == "begin\n" ? true : nil }
    for name in ["go", "go2"] { try world.open(fifo: name) }
    for _ in 0..<6 { try reexec() }
    let expected = ["begin"] + (1...3000).map { "line \($0) and more" }
    func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }
    try eventually("all is written") { lines(world.text(of: "app.log")).count >= 3001 ? true : nil }
    try eventually("all is followed") { lines(world.text(of: "followed")).count >= 3001 ? true : nil }
    #expect(lines(world.text(of: "app.log")) == expected)
    #expect(lines(world.text(of: "followed")) == expected)
    try eventually("all is printed") { world.log.contains("line 3000 and more\n") ? true : nil }
    let printed = lines(world.log).filter { $0.contains("other | ") }.compactMap {
      $0.split(separator: "|").last
    }
    #expect(printed.map { String($0.dropFirst()) } == expected)
    let logs = try world.call(.logs, LogsParameters(name: "other", lines: 2), as: LogsReply.self)
    #expect(logs.lines == Array(expected.suffix(2)))
    try reader.send(SIGTERM)
  }

  @Test("refuses nobody: 20 times under load")
  func load() throws {
    try world.start(try web(), running: ["app"])
    let before = try world.status()
    let load = try Load(on: address, folder: world.folder)
    var pauses: [Double] = []
    for _ in 0..<20 { pauses.append(try reexec().pause) }
    let result = try load.end()
    #expect(result.failures == [])
    #expect(Set(result.answers) == [try #require(before.pid)])
    #expect(try world.status() == before)
    let longest = (result.longest * 10).rounded() / 10
    print(
      "20 reexecs: \(result.answers.count) answers, 0 refused; longest answer \(longest) ms, ",
      "longest pause of the daemon \(pauses.max() ?? 0) ms")
  }

  @Test("lets connections stay: who is connected goes on, who calls is told, who connects waits")
  func connections() throws {
    try world.start(try web(more: "stop_timeout = \"1s\""), running: ["app"])
    let client = try ControlClient(path: world.control)
    _ = try client.call(.status, ServiceSelection(names: []), as: StatusReply.self)
    for round in 1...5 {
      let restart = try Spawned(
        try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "restart", "app"],
        errors: .file(world.path("restart\(round)")))
      try reexec()
      let status = try restart.status()
      let told = world.text(of: "restart\(round)")
      #expect(status == 0 || told.contains("the daemon is being replaced; ask again"), "\(status) \(told)")
      #expect(try world.reach("app", .running).state == .running)
      _ = try client.call(.status, ServiceSelection(names: []), as: StatusReply.self)
    }
    #expect(world.register.overlaps == [])
  }

  @Test("keeps the configuration that was loaded, whatever the disk says by now")
  func configuration() throws {
    try world.write("NAME=before\n", to: "app.env")
    try world.write("[service.more]\ncommand = [\"sleep\", \"60\"]\n", to: "more.toml")
    let text = "include = [\"mo*.toml\"]\n" + (try web(more: "environment_file = \"app.env\""))
    try world.start(text, running: ["app", "more"])
    try world.write("nonsense", to: "fdsupervisord.toml")
    try world.write("", to: "app.env")
    unlink(world.path("more.toml"))
    try world.write("[service.other]\ncommand = [\"true\"]\n", to: "mo2.toml")
    try reexec()
    #expect(try allStatus().map(\.name) == ["app", "more"])
    let pid = try #require(try world.restart().pid)
    let environment = contents(ofSmallFile: "/proc/\(pid)/environ") ?? []
    #expect(String(decoding: environment, as: UTF8.self).contains("NAME=before"))
  }
}
