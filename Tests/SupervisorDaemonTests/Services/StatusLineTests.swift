import Supervisor
import SupervisorDaemon
import Testing

@Suite("The line of systemctl status")
struct StatusLineTests {
  private func text(_ services: ServiceGlance...) -> String { StatusLine.text(services, isStopping: false) }

  private let good = ServiceGlance(name: "web", state: .running)

  @Test("is short when all is well")
  func well() {
    #expect(text() == "no services")
    #expect(text(good) == "1 service running")
    #expect(text(good, good) == "2 services running")
  }

  @Test("counts what is on its way and what was stopped")
  func counts() {
    #expect(
      text(
        good, .init(name: "a", state: .starting), .init(name: "b", state: .stopped),
        .init(name: "c", state: .stopping))
        == "1 of 4 services running, 1 starting, 1 stopping, 1 stopped")
  }

  @Test("says who is in trouble, why, and when it is tried again")
  func trouble() {
    #expect(
      text(good, .init(name: "api", state: .backoff, message: "exit 1", retryIn: .seconds(4)))
        == "1 of 2 services running; api: backing off, exit 1, next launch in 4 s")
    #expect(
      text(
        .init(name: "db", state: .blocked, message: "127.0.0.1:5432 is taken"),
        .init(name: "x", state: .failed))
        == "0 of 2 services running; db: blocked, 127.0.0.1:5432 is taken; x: failed")
  }

  @Test("names three, and cuts what is too long")
  func limits() {
    let long = ServiceGlance(name: "a", state: .failed, message: String(repeating: "m", count: 1000))
    let line = text(long, long, long, long, long)
    #expect(line.hasSuffix("…; and 2 more in trouble") && line.count < 500)
  }

  @Test("counts down while the daemon stops")
  func stopping() {
    let services = [
      good, ServiceGlance(name: "a", state: .stopped), ServiceGlance(name: "b", state: .failed),
    ]
    #expect(
      StatusLine.text(services, isStopping: true) == "stopping; 1 of 3 services to go; b: failed")
    #expect(StatusLine.text([], isStopping: true) == "stopping")
  }
}

@Suite("Times for the service manager")
struct TimeBoundsTests {
  private func service(_ name: String, after: [String] = []) -> ServiceDefinition {
    var result = ServiceDefinition(name: name, command: ["x"])
    result.after = after
    result.startTimeout = .seconds(7)
    result.stopTimeout = .seconds(3)
    result.strayTimeout = .seconds(1)
    return result
  }

  @Test("services that wait for each other add up, others don't")
  func chains() {
    // To its end: 3 s, 5 s for SIGKILL, 1 s for strays, 5 s for SIGKILL.
    #expect(TimeBounds.stop([]) == .zero)
    #expect(TimeBounds.stop([service("a"), service("b")]) == .seconds(14))
    #expect(
      TimeBounds.stop([service("a"), service("b", after: ["a"]), service("c", after: ["a"])]) == .seconds(28))
    #expect(
      TimeBounds.start([service("c", after: ["b"]), service("b", after: ["a"]), service("a")]) == .seconds(84)
    )
  }
}

@Suite("The progress of a start")
struct StartupProgressTests {
  private func graph(_ requires: [[String]]) -> ServiceGraph {
    let names = ["a", "b", "c"]
    let definitions = requires.enumerated().map { index, requires in
      var definition = ServiceDefinition(name: names[index], command: ["x"])
      definition.requires = requires
      return definition
    }
    return ServiceGraph(definitions: definitions, seed: 1)
  }

  @Test("is complete when each has a result")
  func all() {
    let graph = graph([[], []])
    var progress = StartupProgress(wanted: [0, 1])
    #expect(!progress.isComplete(graph))
    progress.note(1)
    #expect(!progress.isComplete(graph))
    progress.note(0)
    #expect(progress.isComplete(graph))
    #expect(StartupProgress(wanted: []).isComplete(graph))
  }

  @Test("does not wait for those that wait for one with a result, be it over others")
  func waiting() {
    var graph = graph([[], ["a"], ["b"]])
    _ = graph.start([0, 1, 2], at: Instant(nanoseconds: 0))
    var progress = StartupProgress(wanted: [0, 1, 2])
    #expect(!progress.isComplete(graph))
    progress.note(0)
    #expect(progress.isComplete(graph))
  }
}
