// What `fdsupervisord run` supervises for a command, a Procfile, a configuration.

import Supervisor
import Testing

import SupervisorDaemon

@Suite("The configuration of a run")
struct RunConfigurationTests {
  private let place = RunConfiguration.Surroundings(folder: "/srv/app", marker: "1-2", isRoot: false)

  private func one(_ command: String..., options: (inout RunArguments) -> Void = { _ in }) throws
    -> (service: ServiceDefinition, remarks: [String])
  {
    var arguments = RunArguments()
    options(&arguments)
    let result = RunConfiguration.of(command: command, arguments, environment: [], place)
    return (try #require(result.configuration.services.first), result.remarks)
  }

  @Test("a command's ports are found by themselves, and it waits for a change when it ends")
  func command() throws {
    let service = try one("flask", "run").service
    #expect(service.discovers)
    #expect(service.restart == .never)
    #expect(service.sockets == [])
    #expect(service.directory == "/srv/app")
    #expect(service.watch?.folder == "/srv/app")
    #expect(service.environment.contains(.init(name: "FDSUPERVISORD_RUN", value: "1-2")))
  }

  @Test("without root a program may be intercepted only when it gets no new privileges")
  func privileges() throws {
    #expect(try one("flask", "run").service.noNewPrivileges)
  }

  @Test("an address that is named is owned from the start, and handed over in both ways")
  func listen() throws {
    let service = try one("app") { $0.listen = [.tcp(.v4(0x7f00_0001), port: 8000)] }.service
    #expect(service.sockets == ["web"])
    #expect(service.pass == .auto)
  }

  @Test(
    "a program with a reloader of its own is left to it",
    arguments: [
      ["flask", "run", "--debug"], ["python", "manage.py", "runserver"], ["node", "--watch", "app.js"],
      ["sh", "-c", "uvicorn app:app --reload"], ["/usr/bin/npx", "nodemon", "x.js"],
      ["flask", "--debug", "run"], ["uvicorn", "--reload", "app:app"],
    ])
  func reloaders(_ command: [String]) throws {
    let result = RunConfiguration.of(command: command, RunArguments(), environment: [], place)
    #expect(result.configuration.services.first?.watch == nil)
    #expect(result.remarks.count == 1)
  }

  @Test(
    "one that only looks like it is watched",
    arguments: [
      ["flask", "run"], ["flask", "run", "--debug", "--no-reload"],
      ["python", "manage.py", "runserver", "--noreload"], ["node", "app.js"], ["python", "flask_app.py"],
    ])
  func others(_ command: [String]) throws {
    let result = RunConfiguration.of(command: command, RunArguments(), environment: [], place)
    #expect(result.configuration.services.first?.watch != nil)
  }

  @Test("PORT goes by the place in the Procfile, whoever is started")
  func ports() throws {
    var arguments = RunArguments()
    arguments.services = ["worker"]
    let processes = [(name: "web", command: "serve"), (name: "worker", command: "work")]
    let result = try RunConfiguration.of(processes: processes, arguments, environment: [], place).get()
    let service = try #require(result.configuration.services.first)
    #expect(service.name == "worker")
    #expect(service.command == ["/bin/sh", "-c", "work"])
    #expect(service.environment.first { $0.name == "PORT" }?.value == "5100")
    #expect(result.configuration.services.count == 1)
  }

  @Test("the PORT of .env is where counting begins, and --port goes before it")
  func basePort() throws {
    func port(_ option: UInt16?) throws -> String? {
      var arguments = RunArguments()
      arguments.port = option
      let result = try RunConfiguration.of(
        processes: [(name: "web", command: "serve")], arguments,
        environment: [.init(name: "PORT", value: "7000")], place
      ).get()
      return result.configuration.services.first?.environment.first { $0.name == "PORT" }?.value
    }
    #expect(try port(nil) == "7000")
    #expect(try port(8000) == "8000")
  }

  @Test("a name that no line has is refused with those there are")
  func unknown() throws {
    var arguments = RunArguments()
    arguments.services = ["wbe"]
    let result = RunConfiguration.of(
      processes: [(name: "web", command: "serve")], arguments, environment: [], place)
    guard case .failure(let error) = result else {
      Issue.record("it is accepted")
      return
    }
    #expect(error.description.hasPrefix("no service is called \"wbe\"; there are: web."))
  }

  @Test("some services of a configuration bring those that they require, and their sockets")
  func someOfConfiguration() throws {
    var loaded = Configuration()
    loaded.sockets = ["web", "other"].map {
      SocketDefinition(name: $0, addresses: [.tcp(.v4(0x7f00_0001), port: $0 == "web" ? 1 : 2)])
    }
    var web = ServiceDefinition(name: "web", command: ["web"])
    web.sockets = ["web"]
    web.requires = ["db"]
    loaded.services = [
      web, ServiceDefinition(name: "db", command: ["db"]), ServiceDefinition(name: "x", command: ["x"]),
    ]
    var arguments = RunArguments()
    arguments.services = ["web"]
    let result = try RunConfiguration.of(loaded: loaded, arguments, place).get().configuration
    #expect(result.services.map(\.name) == ["web", "db"])
    #expect(result.sockets.map(\.name) == ["web"])
    #expect(result.services.map(\.discovers) == [false, true])
  }

  @Test(
    "a service that nobody named is called as its program, or as what an interpreter runs",
    arguments: [
      (["flask", "run"], "flask"), (["/usr/bin/python3.11", "-m", "http.server"], "http"),
      (["node", "server.js"], "server"), (["npm", "run", "dev"], "npm"), (["./bin/serve.sh"], "serve"),
      (["sh", "-c", "a | b"], "sh"), (["python", "-m", "flask", "run"], "flask"), (["…"], "app"),
    ])
  func names(_ command: [String], _ name: String) {
    #expect(RunConfiguration.name(of: command) == name)
  }
}
