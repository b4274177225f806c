import FoundationEssentials
import Glibc
import Supervisor
import Testing

@Suite("A service that is watched", .timeLimit(.minutes(5))) struct WatchingTests {
  private let world: World
  private let address = World.address()

  init() throws {
    world = try World()
    mkdir(world.path("app"), 0o755)
    try world.write("1\n", to: "app/server.py")
  }

  private func configuration(_ command: String, more: String = "", watch: String = "watch = [\"*.py\"]")
    -> String
  {
    """
    [socket.web]
    listen = "\(address)"
    [service.app]
    command = \(command)
    sockets = ["web"]
    directory = "\(world.path("app"))"
    \(watch)
    \(more)
    """
  }

  private func run(_ script: String) throws {
    #expect(try Spawned("/bin/sh", ["-ec", "cd \"$1\"\n" + script, "sh", world.path("app")]).status() == 0)
  }

  /// As vim does it with its standard settings.
  private static let save = "mv server.py server.py~; echo 2 > server.py; rm server.py~"

  private func lines(_ text: String) -> [Substring] {
    world.log.split(separator: "\n").filter { $0.contains(text) }
  }

  @Test("is restarted once when a file is saved, and refuses nobody meanwhile")
  func saved() throws {
    try world.start(
      configuration(try world.command("notify=READY=1", "serve"), more: "readiness = \"notify\""),
      running: ["app"])
    let load = try Load(on: address, folder: world.folder)
    for generation in 2...6 {
      try run(Self.save)
      try world.reach(generation: generation)
    }
    Clock.pause(.milliseconds(700))
    #expect(try world.status().generation == 6)
    let result = try load.end()
    #expect(result.failures == [], "\(world.log)")
    #expect(lines("server.py changed").count == 5, "\(world.log)")
    #expect(world.register.overlaps == [])
  }

  @Test("is stopped when a burst begins, and launched once, when it is over")
  func burst() throws {
    try world.start(
      configuration(try world.command("serve"), watch: "watch = [\"*.py\"]\nwatch_delay = \"300ms\""),
      running: ["app"])
    try run("for i in 1 2 3 4 5 6 7 8; do echo $i > server.py; echo $i > b$i.py; sleep 0.05; done")
    #expect(try world.status().state == .starting)
    try world.reach(generation: 2)
    Clock.pause(.seconds(1))
    #expect(try world.status().generation == 2)
    #expect(lines("server.py changed").count == 1 && lines("9 files changed").count == 1, "\(world.log)")
  }

  @Test(
    "keeps nobody waiting who stops it, or the daemon, while files change", arguments: ["service", "daemon"])
  func stopInBurst(_ subject: String) throws {
    try world.start(
      configuration(try world.command("serve"), watch: "watch = [\"*.py\"]\nwatch_delay = \"10s\""),
      running: ["app"])
    try run("echo 2 > server.py")
    try world.reach("app", .starting)
    let began = Clock.now()
    if subject == "service" {
      #expect(try world.operate(.stop).ok)
    } else {
      try #require(world.daemon).send(SIGTERM)
      #expect(try #require(world.daemon).status() == 0)
    }
    #expect(Clock.now() - began < .seconds(8))
  }

  @Test("is restarted by a change while it is still starting")
  func starting() throws {
    let fifo = world.makeFifo("go")
    try world.start(
      configuration(
        try world.command("await=\(fifo)", "notify=READY=1", "serve"), more: "readiness = \"notify\""))
    try world.reach("app", .starting)
    try run(Self.save)
    try world.reach("app", .starting, generation: 2)
    try world.open(fifo: "go")
    try world.reach(generation: 2)
  }

  @Test("is started by a change when it failed, and when it came to its end")
  func failed() throws {
    try world.start(
      configuration("[\"/bin/sh\", \"-c\", \". ./server.py\"]", more: "restart = \"never\"\npass = \"none\""))
    try run("echo 'exit 3' > server.py")
    try world.reach("app", .failed)
    try run("echo 'exit 0' > server.py")
    let ended = try world.reach("app", .stopped)
    try run("echo 'exec sleep 50' > server.py")
    try world.reach(generation: ended.generation + 1)
  }

  @Test("stays stopped when somebody stopped it")
  func stopped() throws {
    try world.start(configuration(try world.command("serve")), running: ["app"])
    #expect(try world.operate(.stop).ok)
    try run(Self.save)
    Clock.pause(.milliseconds(600))
    #expect(try world.status().state == .stopped)
    #expect(lines("changed") == [])
    #expect(try world.operate(.start).ok)
    try run(Self.save)
    try world.reach(generation: 3)
  }

  @Test(
    "gets another watch by a reload of the configuration, without being relaunched, and keeps it over a reexec"
  )
  func reloaded() throws {
    let command = try world.command("serve")
    try world.start(configuration(command, watch: ""), running: ["app"])
    func reload(_ watch: String) throws {
      try world.write(configuration(command, watch: watch), to: "fdsupervisord.toml")
      let reply = try world.call(.reloadConfig, ReloadConfigParameters(), as: ReloadConfigReply.self)
      #expect(reply.ok, "\(reply)")
    }
    try run(Self.save)
    try reload("watch = [\"*.py\"]\nwatch_delay = \"20ms\"")
    #expect(try world.status().generation == 1)
    try run(Self.save)
    try world.reach(generation: 2)
    _ = try world.call(.reexec, NoParameters(), as: ReexecReply.self)
    try run(Self.save)
    try world.reach(generation: 3)
    try reload("watch = [\"*.py\"]\nwatch_ignore = [\"server.py\"]")
    try run(Self.save + "; echo > other.txt")
    Clock.pause(.milliseconds(500))
    #expect(try world.status().generation == 3)
    try run("echo > other.py")
    try world.reach(generation: 4)
    try reload("")
    try run("echo > other.py")
    Clock.pause(.milliseconds(500))
    #expect(try world.status().generation == 4)
  }

  @Test("that writes what it is watched for is told of")
  func loop() throws {
    try world.start(
      configuration("[\"/bin/sh\", \"-c\", \"echo > out.py; exec sleep 50\"]", more: "pass = \"none\""))
    try eventually("the loop is noticed") { lines("does it write out.py itself?").isEmpty ? nil : true }
    #expect(lines("watch_ignore = [\"out.py\"]").count >= 1)
    #expect(try world.operate(.stop).ok)
  }

  @Test("whose folder was replaced is watched again from its next launch on")
  func replaced() throws {
    try world.start(
      configuration(try world.command("serve")), running: ["app"])
    try run("cd ..; mv app gone; mkdir app")
    try eventually("it is told") { lines("was removed or moved").isEmpty ? nil : true }
    try world.restart()
    try run("echo 2 > server.py")
    try world.reach(generation: 3)
  }

  @Test("costs no system call while nothing changes")
  func quiet() throws {
    for number in 0..<300 {
      mkdir(world.path("app/d\(number)"), 0o755)
      try world.write("", to: "app/d\(number)/a.py")
    }
    try world.start(configuration(try world.command("serve")), running: ["app"])
    let daemon = try #require(world.daemon).pid
    func slices() throws -> String {
      String(decoding: try #require(contents(ofSmallFile: "/proc/\(daemon)/schedstat")), as: UTF8.self)
    }
    // What follows the start comes to its end first.
    try eventually("two quiet seconds") {
      let before = try slices()
      Clock.pause(.seconds(2))
      return try slices() == before ? true : nil
    }
    try run("echo > d299/a.py")
    try world.reach(generation: 2)
  }
  @Test("of which not all can be watched says so with the limit and the remedy, and runs all the same")
  func limited() throws {
    for number in 0..<20 { mkdir(world.path("app/d\(number)"), 0o755) }
    // The limits of inotify(7) hold for each user namespace, too; where nobody may make one, nothing is shown.
    let limit = [
      "unshare", "-Ur", "sh", "-ec", "echo 5 > /proc/sys/user/max_inotify_watches; exec \"$@\"", "sh",
    ]
    let trial = try Spawned("/usr/bin/env", limit + ["true"])
    guard try trial.status() == 0 else { return }
    try world.start(
      configuration(try world.command("serve")), prefix: ["/usr/bin/env"] + limit, running: ["app"])
    let line = try #require(lines("cannot watch more").first, "\(world.log)")
    #expect(line.contains("watches 5 folders below \(world.path("app"))"), "\(line)")
    #expect(line.contains("sysctl fs.inotify.max_user_watches="), "\(line)")
    #expect(lines("cannot watch more").count == 1)
  }
}
