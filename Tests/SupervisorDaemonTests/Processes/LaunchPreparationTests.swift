// From a definition to what a keeper is told: environment, placeholders, paths.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("The preparation of a launch")
struct LaunchPreparationTests {
  private func request(
    _ change: (inout ServiceDefinition, inout LaunchContext) -> Void = { _, _ in }
  ) throws -> LaunchRequest {
    var definition = ServiceDefinition(name: "app", command: ["server"])
    var context = LaunchContext()
    change(&definition, &context)
    return try LaunchPreparation.request(for: definition, generation: 4, context: context)
  }

  private let web = SocketDefinition(name: "web", addresses: [.tcp(.v4(0x7f00_0001), port: 8080)])

  @Test("what is meant for the daemon never reaches a service")
  func ownVariables() throws {
    let request = try request { _, context in
      context.environment = [
        "LANG=C", "LISTEN_FDS=2", "LISTEN_PID=1", "LISTEN_FDNAMES=a:b", "NOTIFY_SOCKET=/run/x",
        "WATCHDOG_USEC=1",
        "FDSTORE=4", "INVOCATION_ID=0", "JOURNAL_STREAM=1:2", "PATH=/opt/bin", "EMPTY=", "=odd", "odd",
      ]
    }
    #expect(request.environment == ["LANG=C", "PATH=/opt/bin", "EMPTY="])
    #expect(request.listenPID == .absent)
  }

  @Test("a service with sockets learns their number and names, in order, and gets its pid")
  func sockets() throws {
    let request = try request { definition, context in
      definition.pass = .systemd
      context.sockets = [
        PassedSocket(name: "web", address: web.addresses[0]),
        PassedSocket(name: "admin", address: web.addresses[0]),
      ]
    }
    #expect(request.environment.contains("LISTEN_FDS=2"))
    #expect(request.environment.contains("LISTEN_FDNAMES=web:admin"))
    #expect(request.listenPID == .wanted)
  }

  @Test("placeholders become numbers and addresses, in arguments and in the environment; the rest stays")
  func placeholders() throws {
    let request = try request { definition, context in
      definition.command = [
        "server", "--fd={fd:web}", "{address:web}", "{port:web}", "{json}", "{fd:nobody}",
      ]
      definition.environment = [EnvironmentEntry(name: "FD", value: "{fd:web};")]
      context.sockets = [PassedSocket(name: "web", address: web.addresses[0])]
      context.allSockets = [web]
    }
    #expect(
      request.arguments == ["server", "--fd=3", "127.0.0.1:8080", "8080", "{json}", "{fd:nobody}"])
    #expect(request.environment.contains("FD=3;"))
  }

  @Test("the service's own variables come last and win, each name once")
  func override() throws {
    let request = try request { definition, context in
      context.environment = ["LANG=C", "PATH=/bin"]
      definition.environment = [EnvironmentEntry(name: "LANG", value: "de_DE")]
    }
    #expect(request.environment == ["LANG=de_DE", "PATH=/bin"])
  }

  @Test("a command without a slash is looked for along PATH, one with it is taken as it is")
  func paths() throws {
    let found = try request { _, context in context.environment = ["PATH=/a::/b"] }
    #expect(found.programs == ["/a/server", "./server", "/b/server"])
    let fixed = try request { definition, _ in definition.command = ["./run"] }
    #expect(fixed.programs == ["./run"])
  }

  @Test("a user that does not exist is said by name")
  func unknownUser() throws {
    let error = #expect(throws: AccountError.self) {
      _ = try request { definition, _ in definition.credentials.user = "no-such-user" }
    }
    #expect(error?.description == "cannot look up user \"no-such-user\": there is no such user")
  }

  private func passed(_ mode: String) throws -> LaunchRequest {
    try request { definition, context in
      definition.pass = PassMode.all.first { $0.name == mode } ?? .none
      context.sockets = [
        PassedSocket(name: "web", address: .tcp(.v4(0x7f00_0001), port: 80)),
        PassedSocket(name: "my-api", address: .unix(.stream, .path("/run/api"))),
        PassedSocket(name: "dns", address: .udp(.v4(0), port: 53)),
      ]
    }
  }

  @Test(
    "each convention says it in its own words",
    arguments: [
      (
        "server-starter",
        ["SERVER_STARTER_PORT=127.0.0.1:80=3;/run/api=4;u53=5", "SERVER_STARTER_GENERATION=4"]
      ),
      ("einhorn", ["EINHORN_FD_COUNT=3", "EINHORN_FD_0=3", "EINHORN_FD_1=4", "EINHORN_FD_2=5"]),
      ("nginx", ["NGINX=3;4;5;"]), ("php-fpm", ["FPM_SOCKETS=127.0.0.1:80=3,/run/api=4,0.0.0.0:53=5"]),
      ("haproxy", ["WEB_FD=3", "MY_API_FD=4", "DNS_FD=5"]), ("none", []),
    ])
  func conventions(mode: String, variables: [String]) throws {
    let request = try passed(mode)
    #expect(request.environment.filter { !$0.hasPrefix("PATH=") } == variables)
    #expect(request.listenPID == .absent)
    #expect(request.masterPID == (mode == "einhorn" ? .wanted : .absent))
  }

  @Test("what a program wants as arguments goes behind those of the command, for each socket")
  func passedArguments() throws {
    #expect(
      try passed("puma").arguments == [
        "server", "-b", "tcp://127.0.0.1:80", "-b", "unix:///run/api", "-b", "tcp://0.0.0.0:53",
      ])
    #expect(try passed("uvicorn").arguments.prefix(3) == ["server", "--fd", "3"])
  }

  @Test("without sockets no convention says anything", arguments: PassMode.all)
  func nothingToPass(mode: PassMode) throws {
    let request = try request { definition, _ in definition.pass = mode }
    #expect(request.environment.allSatisfy { $0.hasPrefix("PATH=") })
    #expect(request.arguments == ["server"])
    #expect(request.listenPID == .absent && request.masterPID == .absent)
  }
}
