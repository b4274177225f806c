// What a change of files means to a service, state by state.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A change of files")
struct ChangedFilesTests {
  private func services(_ restart: RestartPolicy = .always, _ readiness: Readiness = .exec) -> Services {
    var definition = ServiceDefinition(name: "app", command: ["app"])
    definition.restart = restart
    definition.readiness = readiness
    return Services(definition)
  }

  private func expect(
    _ isHeeded: Bool, _ services: inout Services, _ location: SourceLocation = #_sourceLocation
  ) {
    let led = services.changeFiles(of: 0)
    #expect(led == isHeeded, sourceLocation: location)
  }

  @Test("restarts what runs, what is starting, and what is on its way")
  func running() {
    var running = services()
    running.start(0)
    expect(true, &running)
    #expect(running.states == ["launching"])
    running.run(0)
    #expect(running.states == ["stopping"])
    running.end(0)
    running.run(0)
    #expect(running.states == ["running"] && running.graph.machines[0].generation == 2)
    expect(true, &running)
    #expect(running.states == ["stopping"])
    // It is launched once, with what the files are by then.
    expect(true, &running)
    #expect(running.states == ["stopping"])
    running.end(0)
    #expect(running.states == ["launching"] && running.graph.machines[0].generation == 3)
    var starting = services(.always, .notify)
    starting.start(0)
    starting.run(0)
    #expect(starting.states == ["starting"])
    expect(true, &starting)
    #expect(starting.states == ["stopping"])
  }

  @Test("starts what failed, waits, or came to its end by itself")
  func ended() {
    var failed = services(.never)
    failed.start(0)
    failed.tell(0, .launchFailed(generation: 1, LaunchFailure(message: "cannot execute", keeper: .none)))
    #expect(failed.states == ["failed"])
    expect(true, &failed)
    #expect(failed.states == ["launching"])
    var done = services(.never)
    done.start(0)
    done.run(0)
    done.end(0)
    #expect(done.states == ["stopped"])
    expect(true, &done)
    #expect(done.states == ["launching"])
    var crashing = services()
    crashing.start(0)
    crashing.tell(0, .launchFailed(generation: 1, LaunchFailure(message: "cannot execute", keeper: .none)))
    crashing.tell(0, .launchFailed(generation: 2, LaunchFailure(message: "cannot execute", keeper: .none)))
    #expect(crashing.states == ["backingOff"])
    expect(true, &crashing)
    #expect(crashing.states == ["launching"])
  }

  @Test("leaves alone what was never started, what somebody stopped or stops, and what was removed")
  func unwanted() {
    var services = services()
    expect(false, &services)
    #expect(services.states == ["stopped"])
    services.start(0)
    services.run(0)
    services.stop(0)
    expect(false, &services)
    #expect(services.states == ["stopping"])
    services.end(0)
    expect(false, &services)
    #expect(services.states == ["stopped"])
    // It crashed and was launched again, crashed once more and was stopped while it waited.
    services.start(0)
    services.run(0)
    services.end(0, status: 1)
    services.run(0)
    services.end(0, status: 1)
    #expect(services.states == ["backingOff"])
    services.stop(0)
    #expect(services.states == ["stopped"])
    expect(false, &services)
    services.start(0)
    services.run(0)
    services.retire(0)
    expect(false, &services)
  }
}
