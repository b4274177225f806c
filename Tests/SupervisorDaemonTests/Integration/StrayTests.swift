import Glibc
import Supervisor
import Testing

/// What a service leaves behind, what ends the service, and who opened its port.
struct StrayCase: Hashable, Sendable, CustomTestStringConvertible {
  enum Cause: String, CaseIterable { case restart, crash }
  enum Port: String, CaseIterable { case owned, guarded }
  var kind: String
  var cause: Cause
  var port: Port

  var testDescription: String { "\(kind), \(cause), \(port) port" }

  static let kinds = [
    "sleep", "child", "serving", "session", "orphan", "stubborn", "stopped", "traced", "disguised",
    "otheruser", "namespaced", "breeding", "leaderless", "liar",
  ]
  static let all = kinds.flatMap { kind in
    Cause.allCases.flatMap { cause in
      Port.allCases.map { StrayCase(kind: kind, cause: cause, port: $0) }
    }
  }
}

@Suite("A stray", .timeLimit(.minutes(5))) struct StrayTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func configuration(_ stray: StrayCase) throws -> String {
    switch stray.port {
    case .owned:
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = \(try world.command("stray=\(stray.kind)", "serve"))
      sockets = ["web"]
      stray_timeout = "100ms"
      """
    case .guarded:
      """
      [service.app]
      command = \(try world.command("bind=\(address)", "stray=\(stray.kind)", "serve"))
      ports = ["\(address)"]
      readiness = "listen"
      stray_timeout = "100ms"
      """
    }
  }

  @Test(
    "is gone before the next generation is executed, and the report names it", arguments: StrayCase.all)
  func isGone(_ stray: StrayCase) throws {
    try world.start(try configuration(stray), running: ["app"])
    _ = try Client.ask(address)
    let before = world.register.entries
    if before.contains(where: { $0.role == "unsupported" }) { try Test.cancel("needs root") }
    let inode = stray.port == .owned ? try world.inode() : 0

    switch stray.cause {
    case .restart: try world.restart()
    case .crash: try world.crash()
    }
    let status = try world.reach(generation: 2)
    // A stray that serves answers too, but no more than one of the new generation.
    let answer = try Client.ask(address)
    #expect(stray.kind == "serving" ? !before.map(\.identity.pid).contains(answer) : answer == status.pid)

    #expect(world.register.overlaps == [], "\(world.log)")
    #expect(world.register.all("main").count == 2)
    for entry in before { #expect(!ProcessTable.isAlive(entry.identity), "\(entry)") }
    if stray.port == .owned { #expect(try world.inode() == inode) }
    try checkReport(try #require(status.report), of: stray, before)
  }

  private func checkReport(_ report: RelaunchReport, of stray: StrayCase, _ before: [Register.Entry]) throws {
    #expect(report.generation == 2)
    #expect(report.verified.map(\.address) == [address])
    #expect(report.stopped?.signals == (stray.cause == .restart ? ["SIGTERM"] : []))
    if stray.kind == "breeding" { return }  // it had another pid at every moment
    for entry in before where entry.role != "main" {
      let record = try #require(report.strays.first { $0.pid == entry.identity.pid }, "\(entry) in \(report)")
      #expect(!record.command.isEmpty && !record.signals.isEmpty && record.milliseconds != nil)
      #expect(record.held.contains { $0.hasPrefix("\(address) as fd ") }, "\(record)")
    }
  }
}
