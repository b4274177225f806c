// What a reload finds different, and what it does about it.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("The difference between two configurations")
struct ConfigurationDifferenceTests {
  private let before: Configuration = {
    var configuration = Configuration()
    configuration.sockets = [
      SocketDefinition(name: "web", addresses: [.tcp(.v4(0x7f00_0001), port: 8000)]),
      SocketDefinition(name: "admin", addresses: [.tcp(.v4(0x7f00_0001), port: 8001)]),
    ]
    configuration.services = [service("app", "web"), service("db"), service("bell")]
    return configuration
  }()

  private static func service(_ name: String, _ sockets: String...) -> ServiceDefinition {
    var service = ServiceDefinition(name: name, command: [name])
    service.sockets = sockets
    return service
  }

  private func after(_ change: (inout Configuration) -> Void) -> ConfigurationDifference {
    var configuration = before
    change(&configuration)
    return ConfigurationDifference(from: before, to: configuration)
  }

  @Test("is none between two that say the same, in whatever order")
  func none() {
    #expect(after { _ in }.isEmpty)
    #expect(
      after {
        $0.services.reverse()
        $0.sockets.reverse()
      }.isEmpty)
  }

  @Test("names what was added and removed")
  func addedAndRemoved() {
    let difference = after {
      $0.services.remove(at: 1)
      $0.services.append(Self.service("jobs"))
      $0.sockets.remove(at: 1)
    }
    #expect(
      difference.services == [.init(name: "jobs", kind: .added), .init(name: "db", kind: .removed)])
    #expect(difference.sockets == [.init(name: "admin", kind: .removed)])
  }

  @Test("relaunches a service for what its processes could notice, and says which keys")
  func relaunch() {
    let difference = after {
      $0.services[0].command = ["app", "--new"]
      $0.services[0].credentials.user = "www-data"
      $0.services[0].stopTimeout = .seconds(3)
    }
    #expect(
      difference.services == [
        .init(name: "app", kind: .changed(keys: ["command", "user", "stop_timeout"], .relaunch))
      ])
  }

  @Test("takes over in place what only the supervisor goes by")
  func inPlace() {
    let difference = after {
      $0.services[0].stopTimeout = .seconds(3)
      $0.services[0].requires = ["db"]
    }
    #expect(
      difference.services == [
        .init(name: "app", kind: .changed(keys: ["requires", "stop_timeout"], .inPlace))
      ])
  }

  @Test("relaunches the services of a socket that is opened anew, and those that name it in a placeholder")
  func movedSocket() {
    let difference = after {
      $0.services[1].command = ["db", "--notify={address:web}"]
      $0.services[2].environment = [EnvironmentEntry(name: "PORT", value: "{port:admin}")]
      $0.sockets[0].addresses = [.tcp(.v4(0x7f00_0001), port: 9000)]
    }
    #expect(difference.sockets == [.init(name: "web", kind: .changed(keys: ["listen"], .openAnew))])
    #expect(
      difference.services == [
        .init(name: "app", kind: .changed(keys: ["socket.web"], .relaunch)),
        .init(name: "db", kind: .changed(keys: ["command", "socket.web"], .relaunch)),
        .init(name: "bell", kind: .changed(keys: ["environment"], .relaunch)),
      ])
  }

  @Test("leaves the services of a socket alone whose new options the kernel takes while it is bound")
  func options() {
    let difference = after { $0.sockets[0].options.backlog = 7 }
    #expect(difference.sockets == [.init(name: "web", kind: .changed(keys: ["backlog"], .inPlace))])
    #expect(difference.services.isEmpty)
    let anew = after { $0.sockets[0].options.reusePort = true }
    #expect(anew.sockets == [.init(name: "web", kind: .changed(keys: ["reuse_port"], .openAnew))])
    #expect(anew.services.map(\.name) == ["app"])
  }

  @Test("opens a socket anew for an option that is no longer written")
  func removedOption() {
    var old = before
    old.sockets[0].options.noDelay = true
    let difference = ConfigurationDifference(from: old, to: before)
    #expect(difference.sockets == [.init(name: "web", kind: .changed(keys: ["no_delay"], .openAnew))])
  }

  @Test("tells which keys of the daemon count at its next start")
  func daemon() {
    let difference = after {
      $0.daemon.logLevel = .debug
      $0.daemon.control = "/run/other.sock"
    }
    #expect(
      difference.daemon == [
        .init(name: "control", effect: .nextStart), .init(name: "log_level", effect: .atOnce),
      ])
  }

  /// Whoever adds a key decides here what a new value of it asks for.
  @Test("knows every key")
  func complete() {
    let service = Set(ServiceDefinition.keys.map { Self.property($0.name) })
    let parts = Set(Self.properties(of: CredentialsDefinition()))
    // What they say is part of `watch`.
    #expect(
      service.subtracting(["watchIgnore", "watchDelay"])
        == Set(Self.properties(of: before.services[0])).subtracting(Self.withoutKey)
        .union(parts))
    let daemon = Set(DaemonDefinition.keys.map { $0.name == "ready" ? "readiness" : Self.property($0.name) })
    #expect(daemon == Set(Self.properties(of: DaemonDefinition())))
    #expect(
      Set(SocketOptions.keys.map { Self.property($0.name) }) == Set(Self.properties(of: SocketOptions())))
  }

  /// The name is the table's own, two are made of several keys, and the last two are for whoever writes no configuration.
  private static let withoutKey = [
    "name", "credentials", "resources", "startTimeoutAction", "discovers", "usesTerminal",
  ]

  private static func properties(of value: Any) -> [String] {
    Mirror(reflecting: value).children.compactMap(\.label)
  }

  /// "stop_timeout" → "stopTimeout".
  private static func property(_ key: String) -> String {
    let words = key.split(separator: "_").map(String.init)
    return words[0] + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }
}
