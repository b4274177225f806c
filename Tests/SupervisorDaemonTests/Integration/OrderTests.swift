import Glibc
import Supervisor
import Testing

@Suite("Services that need each other", .timeLimit(.minutes(5))) struct OrderTests {
  private let world: World

  init() throws { world = try World() }

  private func service(_ name: String, _ words: String..., more: String = "") throws -> String {
    let program = try ChildProcess.built("misbehaving")
    let command = ([program, "tell=\(world.register.path)"] + words).map { "\"\($0)\"" }
    return """
      [service.\(name)]
      command = [\(command.joined(separator: ", "))]
      \(more)

      """
  }

  @Test("start one after the other is ready, and stop in reverse")
  func order() throws {
    let fifo = world.makeFifo("fifo")
    try world.start(
      try service("web", "present=web", "rest", more: "requires = [\"app\"]")
        + service("app", "present=app", "rest", more: "after = [\"db\"]")
        + service(
          "db", "present=db", "await=\(fifo)", "notify=READY=1", "rest", more: "readiness = \"notify\""))
    try world.register.arrival(of: "db")
    let waiting = try world.status("app")
    #expect(waiting.state == .starting && waiting.message == "waits for db" && waiting.generation == 0)
    try world.open(fifo: "fifo")
    try world.reach("web")
    #expect(
      world.log.position(of: "db: generation 1 is ready")
        < world.log.position(of: "app: generation 1 is ready"))
    #expect(
      world.log.position(of: "app: generation 1 is ready")
        < world.log.position(of: "web: generation 1 is ready"))

    let daemon = try #require(world.daemon)
    try daemon.send(SIGTERM)
    #expect(try daemon.status() == 0)
    #expect(world.log.position(of: "web: stopped") < world.log.position(of: "app: stopped"))
    #expect(world.log.position(of: "app: stopped") < world.log.position(of: "db: stopped"))
  }

  @Test("start what they require, and take along what requires them when they stop")
  func requirement() throws {
    try world.start(
      try service("web", "rest", more: "requires = [\"db\"]\nautostart = false")
        + service("db", "rest", more: "autostart = false"))
    #expect(try world.operate(.start, "web").ok)
    #expect(try world.status("db").state == .running)
    #expect(try world.operate(.stop, "db").ok)
    #expect(try world.status("web").state == .stopped)
  }

  @Test("are not launched when what they require has failed, and say so")
  func failedRequirement() throws {
    try world.start(
      try service("web", "rest", more: "requires = [\"db\"]")
        + service("db", "exit=1", more: "restart = \"never\"\nreadiness = \"notify\""))
    let status = try world.reach("web", .failed, generation: 0)
    #expect(status.message == "requires db, which failed" && status.generation == 0)
  }
}

extension String {
  /// Where a text first is, in bytes; the far end when it is nowhere.
  fileprivate func position(of text: String) -> Int {
    let (all, part) = (Array(utf8), Array(text.utf8))
    return all.indices.first { all[$0...].starts(with: part) } ?? Int.max
  }
}
