import Glibc
import Supervisor
import Testing

@Suite("After SIGKILL", .timeLimit(.minutes(5))) struct DeadDaemonTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func configuration(_ words: String...) throws -> String {
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
      stray_timeout = "200ms"
      """
  }

  private func killDaemon() throws {
    world.end = .own
    let daemon = try #require(world.daemon)
    try daemon.send(SIGKILL)
    #expect(try daemon.status() == 128 + SIGKILL)
  }

  @Test(
    "of the daemon nothing is left, and the port is free",
    arguments: [
      ["sleep"], ["orphan", "session"], ["stubborn", "disguised", "stopped"], ["traced", "leaderless"],
    ])
  func nothingIsLeft(_ strays: [String]) throws {
    let words = strays.map { "stray=\($0)" } + Array(repeating: "print=", count: 3 - strays.count)
    try world.start(try configuration(words[0], words[1], words[2]), running: ["app"])
    let all = world.register.entries
    #expect(all.count > strays.count)
    try killDaemon()
    // stray_timeout, and what a busy machine needs.
    try world.register.awaitEmpty("the daemon's death", within: .seconds(5))
    for entry in all { #expect(!ProcessTable.isAlive(entry.identity)) }
    try eventually("the port is free", within: .seconds(2)) { try Client.isRefused(address) ? true : nil }
  }

  @Test("of the daemon a new one that is started at once comes up, beside nothing of the old")
  func newDaemon() throws {
    let configuration = try configuration("stray=stubborn", "stray=orphan")
    try world.start(configuration, running: ["app"])
    try killDaemon()
    world.end = .clean
    try world.start(configuration, running: ["app"])
    #expect(try Client.ask(address) == world.status().pid)
    #expect(world.register.overlaps == [], "\(world.log)")
  }

  @Test("of a keeper its processes are swept all the same, and the service is launched again")
  func keeper() throws {
    try world.start(try configuration("stray=orphan", "stray=stubborn"), running: ["app"])
    let before = world.register.entries
    let inode = try world.inode()
    let tree = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees[0]
    let keeperPID = try #require(tree.keeper)
    let keeper = try #require(ProcessTable.stat(of: keeperPID))
    _ = try PidFD.open(keeper.identity).send(SIGKILL)
    let status = try world.reach("app", .running, generation: 2)
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    #expect(world.register.overlaps == [])
    #expect(try world.inode() == inode && Client.ask(address) == status.pid)
    #expect(world.log.contains("its keeper was killed"))
  }

  @Test("of many main processes at the same moment each service is launched again, once")
  func massDeath() throws {
    let names = (0..<12).map { "s\($0)" }
    try world.start(names.map { "[service.\($0)]\ncommand = [\"sleep\", \"50\"]\n" }.joined(), running: names)
    for name in names { try world.crash(name) }
    for name in names { #expect(try world.reach(name, .running, generation: 2).generation == 2) }
  }
}
