// Order between services: who starts after whom, who needs whom, and the reverse at stop.

import Supervisor
import SupervisorDaemon
import Testing

private func named(_ name: String, after: [String] = [], requires: [String] = []) -> ServiceDefinition {
  var definition = ServiceDefinition(name: name, command: [name])
  definition.after = after
  definition.requires = requires
  definition.restart = .never
  return definition
}

@Suite("Services that depend on each other")
struct ServiceGraphTests {
  private let db = named("db")
  private let app = named("app", requires: ["db"])

  @Test("start in order, those that are required with them")
  func start() {
    var services = Services(app, db)
    services.start(0)
    #expect(services.states == ["stopped", "launching"])
    #expect(services.graph.publicState(of: 0) == (.starting, "waits for db"))
    services.run(1)
    #expect(services.states == ["launching", "running"])
  }

  @Test("stop in the reverse order")
  func stop() {
    var services = Services(db, app)
    services.start(1)
    services.run(0)
    services.run(1)
    services.stop(0)
    #expect(services.states == ["running", "stopping"])
    services.end(1)
    #expect(services.states == ["stopping", "stopped"])
    services.end(0)
    #expect(services.graph.isAtRest)
  }

  @Test("fail when what they require fails")
  func requirement() {
    var services = Services(db, app)
    services.start(1)
    services.run(0)
    services.run(1)
    services.end(1)
    services.end(0, status: 1)
    services.start(1)
    services.tell(0, .launchFailed(generation: 2, LaunchFailure(message: "cannot execute", keeper: .none)))
    #expect(services.states == ["failed", "failed"])
    #expect(services.settled[1] == .failed("requires db, which failed"))
  }

  @Test("start although one that they only come after fails")
  func afterOnly() {
    var services = Services(db, named("app", after: ["db"]))
    services.start(0, 1)
    services.tell(0, .launchFailed(generation: 1, LaunchFailure(message: "cannot execute", keeper: .none)))
    #expect(services.states == ["failed", "launching"])
  }

  @Test("are not started after the stop of what they wait for")
  func stopWhileWaiting() {
    var services = Services(db, app)
    services.start(0)
    services.run(0)
    services.end(0)
    services.start(1)
    services.stop(0)
    #expect(services.settled[1] == .stopped(nil))
    services.tell(0, .executed(generation: 2, pid: 9))
    services.end(0)
    #expect(services.states == ["stopped", "stopped"])
  }

  @Test("get back what they require when a start comes during the stop of both")
  func startDuringStop() {
    var services = Services(db, app)
    services.start(1)
    services.run(0)
    services.run(1)
    services.stop(0)
    services.start(1)
    services.end(1)
    #expect(services.states == ["running", "launching"])
  }

  @Test("get back what they require when a restart comes during the stop of both")
  func restartDuringStop() {
    var services = Services(db, app)
    services.start(1)
    services.run(0)
    services.run(1)
    services.stop(0)
    services.restart(1)
    services.end(1)
    #expect(services.states == ["running", "launching"])
  }

  @Test("wait for a requirement whose launch is about to be stopped, and start it again")
  func requirementThatGoes() {
    var services = Services(db, app)
    services.start(0)
    services.stop(0)
    services.start(1)
    services.run(0)
    services.end(0)
    #expect(services.states == ["launching", "stopped"])
    services.run(0)
    #expect(services.states == ["running", "launching"])
  }

  @Test("that run are shown as running while a start of them waits for another")
  func publicStateOfRunning() {
    var services = Services(db, app)
    services.start(1)
    services.run(0)
    services.run(1)
    services.end(0, status: 1)
    services.start(1)
    #expect(services.states == ["launching", "running"])
    #expect(services.graph.publicState(of: 1).0 == .running)
  }

  @Test("are not launched again by a crash while their stop waits for another")
  func crashWhileStopWaits() {
    var db = db
    db.restart = .always
    var services = Services(db, app)
    services.start(1)
    services.run(0)
    services.run(1)
    services.stop(0)
    services.end(0, status: 1)
    #expect(services.states == ["stopped", "stopping"])
  }

  @Test("are stopped all at once in a hurry")
  func hurry() {
    var services = Services(db, app)
    services.start(1)
    services.run(0)
    services.run(1)
    services.stop(0, 1)
    #expect(services.states == ["running", "stopping"])
    services.hurry()
    #expect(services.states == ["stopping", "stopping"])
    services.end(0)
    services.end(1)
    #expect(services.graph.isAtRest)
  }
}
