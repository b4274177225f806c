import Supervisor
import Testing

@Suite("The fingerprint of a definition")
struct DefinitionFingerprintTests {
  private static let web = SocketDefinition(
    name: "web", addresses: [.tcp(.v4(0x7f00_0001), port: 80)])
  private static let other = SocketDefinition(
    name: "other", addresses: [.tcp(.v4(0x7f00_0001), port: 81)])

  private func fingerprint(
    _ sockets: [SocketDefinition] = [Self.web, Self.other],
    _ change: (inout ServiceDefinition) -> Void = { _ in }
  ) -> UInt64 {
    var definition = ServiceDefinition(name: "app", command: ["app", "one two"])
    definition.sockets = ["web"]
    change(&definition)
    return DefinitionFingerprint(of: definition, sockets: sockets).value
  }

  @Test("is another one after every change that a process could notice")
  func noticed() {
    let all = [
      fingerprint(), fingerprint { $0.command = ["app", "one", "two"] }, fingerprint { $0.command += [""] },
      fingerprint { $0.environment = [EnvironmentEntry(name: "A", value: "b")] },
      fingerprint { $0.environment = [EnvironmentEntry(name: "Ab", value: "")] },
      fingerprint { $0.sockets = [] }, fingerprint { $0.pass = .none }, fingerprint { $0.directory = "/" },
      fingerprint { $0.credentials.user = "root" }, fingerprint { $0.credentials.group = "root" },
      fingerprint { $0.umask = 0 }, fingerprint { $0.nice = 0 }, fingerprint { $0.oomScoreAdjust = 0 },
      fingerprint { $0.noNewPrivileges = true }, fingerprint { $0.readiness = .notify },
      fingerprint { $0.survive = true }, fingerprint { $0.log = .none },
      fingerprint([SocketDefinition(name: "web", addresses: [.tcp(.v4(0x7f00_0001), port: 8080)])]),
    ]
    #expect(Set(all).count == all.count)
  }

  /// A new value for every key of a service.
  private static let changes: [(key: String, @Sendable (inout ServiceDefinition) -> Void)] = [
    ("command", { $0.command = ["other"] }), ("sockets", { $0.sockets = [] }), ("pass", { $0.pass = .none }),
    ("accept", { $0.accept = AcceptDefinition() }), ("wildcard_bind", { $0.wildcardBind = .meansOwned }),
    ("ports", { $0.ports = [.tcp(.v4(0x7f00_0001), port: 9)] }),
    ("environment", { $0.environment = [EnvironmentEntry(name: "A", value: "b")] }),
    ("directory", { $0.directory = "/" }), ("log", { $0.log = .file(LogFileDefinition(path: "/a")) }),
    ("user", { $0.credentials.user = "root" }), ("group", { $0.credentials.group = "root" }),
    ("supplementary_groups", { $0.credentials.supplementaryGroups = [] }), ("umask", { $0.umask = 0 }),
    ("limits", { $0.limits = [LimitDefinition(name: "nofile", resource: 7, soft: 1, hard: 2)] }),
    ("limits", { $0.resources.memory = 1 }), ("limits", { $0.resources.tasks = 1 }),
    ("limits", { $0.resources.cpu = 1 }), ("nice", { $0.nice = 0 }),
    ("no_new_privileges", { $0.noNewPrivileges = true }),
    ("ambient_capabilities", { $0.ambientCapabilities = ["CAP_KILL"] }),
    ("oom_score_adjust", { $0.oomScoreAdjust = 0 }), ("readiness", { $0.readiness = .notify }),
    ("survive", { $0.survive = true }), ("autostart", { $0.autostart = false }),
    ("after", { $0.after = ["db"] }), ("requires", { $0.requires = ["db"] }),
    ("start_timeout", { $0.startTimeout = .seconds(1) }), ("restart", { $0.restart = .never }),
    ("backoff", { $0.backoff.initial = .seconds(1) }), ("start_limit", { $0.startLimit.burst = 1 }),
    ("stop_signal", { $0.stopSignal = 9 }), ("stop_timeout", { $0.stopTimeout = .seconds(1) }),
    ("strays", { $0.strays = .report }), ("stray_allow", { $0.strayAllow = ["tmux*"] }),
    ("stray_timeout", { $0.strayTimeout = .seconds(1) }), ("reload_signal", { $0.reloadSignal = 9 }),
    ("watch", { $0.watch = WatchDefinition(folder: "/", patterns: ["*"]) }),
    ("watch_ignore", { $0.watch = WatchDefinition(folder: "/", patterns: ["*"], ignored: ["a"]) }),
    ("watch_delay", { $0.watch = WatchDefinition(folder: "/", patterns: ["*"], delay: .seconds(1)) }),
  ]

  @Test("counts the keys for which a reload relaunches, and no others")
  func sameAsReload() {
    #expect(Set(Self.changes.map(\.key)) == Set(ServiceDefinition.keys.map(\.name)))
    for (name, change) in Self.changes {
      let isRelaunched = ServiceDefinition.keys.contains { $0.name == name && $0.effect == .relaunch }
      #expect((fingerprint([Self.web], change) != fingerprint([Self.web])) == isRelaunched, "\(name)")
    }
  }

  @Test("stays the same when only the supervisor's own doings change, or a socket that it does not name")
  func unnoticed() {
    #expect(fingerprint() == fingerprint([Self.web]))
    #expect(
      fingerprint()
        == fingerprint {
          $0.stopTimeout = .seconds(1)
          $0.restart = .never
          $0.autostart = false
          $0.after = ["db"]
        })
  }

  @Test("counts a socket that a placeholder names")
  func placeholder() {
    let naming: (inout ServiceDefinition) -> Void = { $0.command = ["app", "{port:other}"] }
    #expect(fingerprint([Self.web, Self.other], naming) != fingerprint([Self.web], naming))
  }
}
