import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("In a delegated cgroup", .timeLimit(.minutes(5))) struct CgroupTests {
  // In this order: the world, with its daemon, ends first.
  private let world: World
  private let cgroup: OwnCgroup
  private let address = World.address()

  init() throws {
    world = try World()
    cgroup = try OwnCgroup()
  }

  private func configuration(
    _ words: String..., strayTimeout: String = "100ms", extra: String = ""
  ) throws -> String {
    let program = try ChildProcess.built("misbehaving")
    let command = ([program, "register=\(world.register.path)"] + words + ["serve"]).map { "\"\($0)\"" }
    return """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = [\(command.joined(separator: ", "))]
      sockets = ["web"]
      stray_timeout = "\(strayTimeout)"
      \(extra)
      """
  }

  private func start(_ configuration: String) throws {
    try cgroup.delegate()
    try world.start(configuration, prefix: cgroup.entrance, running: ["app"])
    // It serves when its strays have settled, and not before.
    _ = try Client.ask(address)
  }

  private func generation(_ number: Int, of service: String = "app") -> ControlGroup {
    cgroup.group.child(service).child("\(number)")
  }

  private func keeper() throws -> ProcessIdentity {
    let trees = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees
    let pid = try #require(trees.first?.keeper)
    return try #require(ProcessTable.stat(of: pid)).identity
  }

  private func sleeper() throws -> Spawned { try Spawned("/bin/sleep", ["50"], care: .leashed) }

  @Test(
    "each generation has one of its own, the daemon and the keepers are in a leaf, and what is empty goes")
  func layout() throws {
    try start(try configuration("stray=sleep"))
    try eventually("all processes of the service are in the first generation's") {
      let trees = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees
      let pids = trees[0].processes.map(\.pid)
      return pids.count == 2 && Set(pids) == Set(generation(1).members) ? true : nil
    }
    let daemon = try #require(world.daemon).pid
    #expect(Set(cgroup.group.child("daemon").members) == [daemon, try keeper().pid])
    try world.restart()
    #expect(cgroup.group.child("app").children == ["2"])
    let status = try world.status()
    #expect(generation(2).members.contains(try #require(status.pid)))
    #expect(status.cpu != nil, "\(status)")
    try eventually("two processes are counted") { try world.status().tasks == 2 ? true : nil }
    #expect(try world.ctl("status").output.contains("CPU"))
    #expect(try world.operate(.stop).ok)
    #expect(cgroup.group.children == ["daemon"])
    #expect(try world.operate(.start).ok)
    #expect(cgroup.group.child("app").children == ["3"])
    #expect(try world.ctl("doctor").output.contains("a cgroup of its own below \(cgroup.group.path)"))
  }

  @Test(
    "strays are gone before the next generation, and the report names them",
    arguments: ["sleep", "orphan", "stubborn", "stopped", "traced", "breeding", "leaderless", "namespaced"])
  func strays(_ kind: String) throws {
    try start(try configuration("stray=\(kind)"))
    let before = world.register.entries
    if before.contains(where: { $0.role == "unsupported" }) { try Test.cancel("needs root") }
    let report = try world.restart()
    #expect(world.register.overlaps == [], "\(world.log)")
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(cgroup.group.child("app").children == ["2"])
    if kind == "breeding" { return }
    for entry in before where entry.role != "main" {
      #expect(report.strays.contains { $0.pid == entry.identity.pid }, "\(entry) in \(report)")
    }
  }

  @Test("the processes of a killed keeper are told from those of another one")
  func killedKeeper() throws {
    try start(try configuration("stray=orphan", "stray=stubborn"))
    let before = world.register.entries
    _ = try PidFD.open(try keeper()).send(SIGKILL)
    try world.reach("app", .running, generation: 2)
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(world.register.overlaps == [] && cgroup.group.child("app").children == ["2"])
  }

  @Test("somebody who is in it, though not below the keeper, is removed and told before the next launch")
  func remnant() throws {
    try start(try configuration())
    let stranger = try sleeper()
    try generation(1).write("\(stranger.pid)", to: "cgroup.procs")
    try generation(1).child("nested").make()
    let report = try world.restart()
    #expect(try stranger.status() == 128 + SIGTERM)
    #expect(report.strays.map(\.pid) == [stranger.pid])
    #expect(world.log.contains("though not below its keeper: pid \(stranger.pid) \"/bin/sleep 50\""))
    #expect(cgroup.group.child("app").children == ["2"])
  }

  @Test("what a daemon and its keeper left, both killed, is ended before the next daemon launches anything")
  func leftover() throws {
    // The keeper asks the stray to end, and is dead before it would kill him.
    try start(try configuration("stray=stubborn", strayTimeout: "30s"))
    let before = world.register.entries
    let keeper = try PidFD.open(try keeper())
    let nested = generation(1).child("made-by-the-service")
    try nested.make()
    let daemon = try #require(world.daemon)
    world.end = .own
    try daemon.send(SIGKILL)
    _ = try keeper.send(SIGKILL)
    #expect(try daemon.status() == 128 + SIGKILL)
    #expect(before.contains { ProcessTable.isAlive($0.identity) })
    world.end = .clean
    try world.start(try configuration(), prefix: cgroup.entrance, running: ["app"])
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(world.register.overlaps == [], "\(world.log)")
    #expect(world.log.contains("was left by a former daemon: SIGKILL"), "\(world.log)")
    #expect(cgroup.group.child("app").children == ["1"] && !nested.isPopulated)
  }

  @Test("a keeper that still sweeps is left in peace by the next daemon, which waits for it")
  func sweepingKeeper() throws {
    let configuration = try configuration("stray=stubborn")
    try start(configuration)
    let before = world.register.entries
    world.end = .own
    let daemon = try #require(world.daemon)
    try daemon.send(SIGKILL)
    #expect(try daemon.status() == 128 + SIGKILL)
    world.end = .clean
    try world.start(configuration, prefix: cgroup.entrance, running: ["app"])
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(world.register.overlaps == [] && !world.log.contains("was left by"), "\(world.log)")
  }

  @Test(
    "what survives the daemon is not taken for left behind; when its keeper is killed after that, all are found"
  )
  func survival() throws {
    let configuration = try configuration("stray=orphan", extra: "survive = true")
    try start(configuration)
    let before = world.register.entries
    let pid = try world.status().pid
    world.end = .own
    let daemon = try #require(world.daemon)
    try daemon.send(SIGKILL)
    #expect(try daemon.status() == 128 + SIGKILL)
    world.end = .clean
    try world.start(configuration, prefix: cgroup.entrance, running: ["app"])
    let status = try world.status()
    #expect(status.pid == pid && status.generation == 1 && status.cpu != nil, "\(world.log)")
    for entry in before { #expect(ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(!world.log.contains("was left by"), "\(world.log)")
    _ = try PidFD.open(try keeper()).send(SIGKILL)
    try eventually("the service is launched again") {
      let status = try world.status()
      return status.generation == 2 && status.state == .running ? true : nil
    }
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(world.register.overlaps == [] && !world.log.contains("can't be found"), "\(world.log)")
    #expect(cgroup.group.child("app").children == ["2"])
  }

  @Test("limits are set where their controllers are; where not, that is said once, and the service runs")
  func limits() throws {
    try start(
      try configuration(extra: "limits = { memory = \"64MiB\", tasks = 100, cpu = \"50%\", nofile = 4096 }"))
    try world.restart()
    let controllers = cgroup.group.read("cgroup.controllers") ?? ""
    let service = cgroup.group.child("app")
    for (name, file, value, text) in [
      ("memory", "memory.max", "67108864\n", "memory = 64MiB"), ("pids", "pids.max", "100\n", "tasks = 100"),
      ("cpu", "cpu.max", "50000 100000\n", "cpu = 50%"),
    ] {
      if controllers.split(whereSeparator: \.isWhitespace).contains(Substring(name)) {
        #expect(service.read(file) == value)
        continue
      }
      let lines = world.log.split(separator: "\n").filter { $0.contains("without effect") }
      #expect(lines.count == 1 && lines[0].contains(text), "\(world.log)")
      #expect(lines[0].contains("not in \(cgroup.group.path)/cgroup.controllers"))
      #expect(try world.ctl("doctor").output.contains("without effect: limits"))
    }
  }

  @Test("a service that goes past its memory is ended by the kernel, and its exit says so")
  func memory() throws {
    if !(cgroup.group.read("cgroup.controllers") ?? "").contains("memory") {
      try Test.cancel("cgroup v2 has no memory controller here")
    }
    try cgroup.delegate()
    let swaps = String(decoding: contents(ofSmallFile: "/proc/swaps") ?? [], as: UTF8.self)
    if swaps.split(separator: "\n").count > 1 { try Test.cancel("swap would take what is too much") }
    let eater = "[\"/bin/sh\", \"-c\", \"head -c 200M /dev/zero | tail | cat >/dev/null\"]"
    try world.start(
      "[service.app]\ncommand = \(eater)\nrestart = \"never\"\nlimits = { memory = \"32MiB\" }",
      prefix: cgroup.entrance)
    let status = try world.reach("app", .failed)
    #expect(status.lastExit?.text == "SIGKILL by the kernel: memory limit 32MiB", "\(status)")
  }

  @Test("the unit's own cgroup is released for the next daemon when this one is gone, and not before")
  func release() throws {
    try cgroup.delegate()
    let control = cgroup.group.child(".control")
    try control.make()
    let release = { () throws -> Int32 in
      let words = ["-c", "echo 0 > \"$0\" && exec \"$@\"", "\(control.path)/cgroup.procs"]
      let program = [try ChildProcess.built("fdsupervisord"), "--release-cgroup"]
      return try Spawned("/bin/sh", words + program, errors: .file(world.path("release.log"))).status()
    }
    do {
      let daemon = CgroupTree(.unit(cgroup.group, .leaf))
      #expect(daemon.isDelegated)
      #expect(try release() == 0)
      #expect(world.text(of: "release.log").contains("the daemon still runs"))
      withExtendedLifetime(daemon) {}
    }
    let available = (cgroup.group.read("cgroup.controllers") ?? "").split(whereSeparator: \.isWhitespace)
    guard let controller = available.first else { try Test.cancel("there is no controller to turn on here") }
    try cgroup.group.write("+\(controller)", to: "cgroup.subtree_control")
    #expect(try release() == 0)
    #expect(cgroup.group.read("cgroup.subtree_control") == "")
  }

  @Test("nothing is touched without the manager's mark, and limits say what is missing")
  func unmarked() throws {
    try world.start(
      try configuration(extra: "limits = { tasks = 100 }"), prefix: cgroup.entrance, running: ["app"])
    #expect(cgroup.group.children == [])
    #expect(cgroup.group.members.count >= 3)
    #expect(try world.status().cpu == nil)
    #expect(world.log.contains("without effect: limits tasks = 100: "))
    #expect(world.log.contains("is not delegated; set Delegate=yes in the unit of the daemon"))
  }

  @Test("a second daemon leaves the generations of the first alone, and does without")
  func second() throws {
    try start(try configuration())
    let other = try World()
    try other.start(
      "[service.app]\ncommand = [\"sleep\", \"50\"]", prefix: cgroup.entrance, running: ["app"])
    #expect(other.log.contains("another daemon does"))
    #expect(
      generation(1).isPopulated && world.register.entries.allSatisfy { ProcessTable.isAlive($0.identity) })
    #expect(try other.status().cpu == nil && world.status().cpu != nil)
  }
}
