// New definitions: when they come into force, in which order services are relaunched, how services come and go.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A new definition")
struct RedefinitionTests {
  private func changed(_ app: Transcript, _ change: (inout ServiceDefinition) -> Void = { _ in })
    -> ServiceDefinition
  {
    var definition = app.machine.wantedDefinition
    definition.command = ["app", "--new"]
    change(&definition)
    return definition
  }

  @Test("that only the supervisor goes by is in force at once, and the service runs on")
  func inPlace() {
    var app = Transcript()
    app.run(pid: 7)
    var new = app.machine.definition
    new.stopTimeout = .seconds(1)
    #expect(app.tell(.redefined(new, .atOnce)) == [.redefine])
    #expect(app.state == "running")
    #expect(app.tell(.stopRequested) == [.signalMain(15), .arm(app.now + .seconds(1))])
  }

  @Test("ends the old generation by the old rules, and is in force before the verification")
  func withNextGeneration() {
    var app = Transcript {
      $0.stopSignal = 2
      $0.stopTimeout = .seconds(3)
    }
    app.run(pid: 7)
    let new = changed(app) { $0.stopSignal = 15 }
    #expect(app.tell(.redefined(new, .withNextGeneration)) == [])
    #expect(app.tell(.restartRequested) == [.signalMain(2), .arm(app.now + .seconds(3))])
    app.follow(.mainExited(generation: 1, .exited(0)), .scanned(generation: 1, []))
    #expect(app.machine.definition.command == ["app"])
    #expect(app.tell(.treeEmptied(generation: 1)) == [.disarm, .redefine, .verify])
    #expect(app.machine.definition == new)
    #expect(app.machine.nextDefinition == nil)
  }

  @Test("is in force after a crash, too")
  func crash() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.redefined(changed(app), .withNextGeneration), .mainExited(generation: 1, .exited(1)))
    #expect(app.tell(.treeEmptied(generation: 1)) == [.disarm, .redefine, .verify])
  }

  @Test("that comes during a verification has that done again")
  func duringVerification() {
    var app = Transcript()
    app.follow(.startRequested, .redefined(changed(app), .withNextGeneration))
    #expect(app.tell(.clear) == [.redefine, .verify])
    #expect(app.tell(.clear).contains(.launch(generation: 1)))
  }

  @Test("is in force at once where nothing runs, and a stopped service stays stopped")
  func atRest() {
    var app = Transcript()
    #expect(app.tell(.redefined(changed(app), .withNextGeneration)) == [.redefine])
    #expect(app.state == "stopped")
  }

  @Test("waits for one that can't be killed")
  func unkillable() {
    var app = Transcript()
    app.run(pid: 7)
    app.follow(.stopRequested, .mainExited(generation: 1, .exited(0)), .scanned(generation: 1, [Stray(8)]))
    _ = app.tell(.timerFired, after: .milliseconds(500))
    app.follow(.scanned(generation: 1, [Stray(8)]))
    _ = app.tell(.timerFired, after: .seconds(5))
    #expect(app.state == "blocked")
    #expect(app.tell(.redefined(changed(app), .withNextGeneration)) == [])
    #expect(app.tell(.treeEmptied(generation: 1)) == [.disarm, .redefine, .verify])
  }
}

@Suite("Services of a new configuration")
struct ServicesOfReloadTests {
  private func named(_ name: String, after: [String] = [], requires: [String] = []) -> ServiceDefinition {
    var definition = ServiceDefinition(name: name, command: [name])
    (definition.after, definition.requires, definition.restart) = (after, requires, .never)
    return definition
  }

  private func new(_ definition: ServiceDefinition) -> ServiceDefinition {
    var new = definition
    new.command.append("--new")
    return new
  }

  @Test("are relaunched one after the other where they start after each other")
  func order() {
    var services = Services(named("app", after: ["db"]), named("db"), named("bell"))
    services.start(0, 1, 2)
    for service in [1, 0, 2] { services.run(service) }
    for service in 0...2 {
      services.redefine(service, new(services.graph.machines[service].definition), .withNextGeneration)
    }
    #expect(services.states == ["running", "running", "running"])
    services.relaunch(0, 1, 2)
    #expect(services.states == ["running", "stopping", "stopping"])
    services.end(1)
    #expect(services.states == ["running", "launching", "stopping"])
    services.run(1)
    #expect(services.states == ["stopping", "running", "stopping"])
    services.end(0)
    services.run(0)
    #expect(services.graph.machines.map(\.generation) == [2, 2, 1])
    #expect(services.graph.isSettling(2) && !services.graph.isSettling(0))
  }

  @Test("that follow others are those behind them in any number of steps")
  func followers() {
    let services = Services(
      named("app", requires: ["db"]), named("db", after: ["disk"]), named("disk"), named("bell"))
    #expect(services.graph.followers(of: [2]) == [0, 1])
    #expect(services.graph.followers(of: [0, 3]) == [])
  }

  @Test("that crashed meanwhile are not relaunched twice")
  func crashMeanwhile() {
    var db = named("db")
    db.restart = .always
    var services = Services(db)
    services.start(0)
    services.run(0)
    services.redefine(0, new(db), .withNextGeneration)
    services.end(0, status: 1)
    services.run(0)
    services.relaunch(0)
    #expect(services.states == ["running"])
    #expect(services.graph.machines[0].generation == 2)
  }

  @Test("that were stopped stay so, also when the stop comes while they wait for their relaunch")
  func stopped() {
    var services = Services(named("app", after: ["db"]), named("db"))
    services.start(0, 1)
    services.run(1)
    services.run(0)
    for service in 0...1 {
      services.redefine(service, new(services.graph.machines[service].definition), .withNextGeneration)
    }
    services.relaunch(0, 1)
    services.stop(0)
    services.end(0)
    services.end(1)
    services.run(1)
    #expect(services.states == ["stopped", "running"])
    #expect(services.graph.machines[0].definition.command == ["app", "--new"])
  }

  @Test("are tried again where they had failed, for whatever was changed")
  func failed() {
    var services = Services(named("app"))
    services.start(0)
    services.run(0)
    services.end(0, status: 1)
    #expect(services.states == ["failed"])
    var definition = services.graph.machines[0].definition
    definition.startTimeout = .seconds(5)
    services.redefine(0, definition, .atOnce)
    services.relaunch(0)
    #expect(services.states == ["launching"])
  }

  @Test("that are removed stop before what they depend on, are forgotten, and leave their place to others")
  func removed() {
    var services = Services(named("db"), named("app", requires: ["db"]), named("bell"))
    services.start(1, 2)
    for service in [0, 1, 2] { services.run(service) }
    services.retire(0, 1)
    #expect(services.states == ["running", "stopping", "running"])
    #expect(services.graph.present == [0, 1, 2])
    services.end(1)
    #expect(services.states == ["stopping", "stopped", "running"])
    #expect(services.graph.present == [0, 2])
    services.start(0)
    services.end(0)
    #expect(services.graph.present == [2])
    #expect(services.add(named("jobs", after: ["bell"])) == 0)
    #expect(services.add(named("mail", requires: ["jobs"])) == 1)
    #expect(services.add(named("more")) == 3)
    services.start(1)
    #expect(services.states == ["launching", "stopped", "running", "stopped"])
    #expect(services.graph.machines[0].generation == 1)
  }

  @Test("come back as they were when they were removed, but did not go")
  func comeBack() {
    var services = Services(named("db"))
    services.start(0)
    services.run(0)
    services.retire(0)
    #expect(services.add(new(named("db"))) == 0)
    services.start(0)
    services.end(0)
    #expect(services.graph.present == [0] && services.states == ["launching"])
    #expect(services.graph.machines[0].generation == 2)
  }
}
