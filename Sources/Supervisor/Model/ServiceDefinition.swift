// A `[service.NAME]` of the configuration, checked and complete: every default is filled in.

/// A named command to keep running.
package struct ServiceDefinition: Hashable, Sendable {
  package var name: String
  /// argv, with placeholders unexpanded; never empty.
  package var command: [String]
  /// Names of sockets, in the order in which they are handed over.
  package var sockets: [String] = []
  /// Without `sockets` it does nothing.
  package var pass = PassMode.auto
  /// One instance of the command for each connection, on its standard input and output; nil: it accepts by itself.
  package var accept: AcceptDefinition?
  /// What an intercepted bind(2) to every address of a port means.
  package var wildcardBind = WildcardBind.literal
  /// What its program listens on becomes a socket of its own; no key, only `fdsupervisord run` wants it.
  package var discovers = false
  /// Guarded ports: addresses that the service binds by itself.
  package var ports: [SocketAddress] = []
  /// In the order of the file; values with placeholders unexpanded.
  ///
  /// Those of `environment_file` come first.
  package var environment: [EnvironmentEntry] = []
  package var directory: String?
  package var credentials = CredentialsDefinition()
  package var umask: UInt32 = 0o022
  package var limits: [LimitDefinition] = []
  /// Of all its processes together; they need a delegated cgroup.
  package var resources = ResourceDefinition()
  /// -20 … 19.
  package var nice: Int?
  package var noNewPrivileges = false
  /// Names as in capabilities(7), in upper case with the prefix: "CAP_NET_BIND_SERVICE".
  package var ambientCapabilities: [String] = []
  /// -1000 … 1000, proc(5).
  package var oomScoreAdjust: Int?
  package var autostart = true
  package var after: [String] = []
  package var requires: [String] = []
  package var readiness = Readiness.exec
  package var startTimeout: Duration = .seconds(30)
  /// What it means that it is not ready when that time is over.
  package var startTimeoutAction = StartTimeoutAction.fail
  package var restart = RestartPolicy.always
  package var backoff = BackoffDefinition()
  package var startLimit = StartLimitDefinition()
  /// A signal number, 1 … 64.
  package var stopSignal: Int32 = 15
  package var stopTimeout: Duration = .seconds(10)
  package var strays = StrayPolicy.kill
  /// Patterns, fnmatch(3): strays of these names live on although the others are killed, but not with a port.
  package var strayAllow: [String] = []
  /// Between SIGTERM and SIGKILL for strays.
  package var strayTimeout: Duration = .milliseconds(500)
  package var reloadSignal: Int32 = 1
  /// Its keeper holds it over a death of the daemon, and the next daemon takes it over.
  package var survive = false
  /// Changes of files that restart it.
  package var watch: WatchDefinition?
  package var log = LogDefinition.standard
  /// Its standard descriptors are the daemon's own, a terminal: for debuggers; no key, only `run --stdin` wants it.
  package var usesTerminal = false

  package init(name: String, command: [String]) {
    self.name = name
    self.command = command
  }
}

/// A command that serves one connection, as inetd(8) has it with "nowait".
package struct AcceptDefinition: Hashable, Sendable {
  /// So many run at a time; further connections wait in the backlog.
  package var limit = 64
  package init() {}
}

/// Whether a bind(2) to every address of a port may mean a socket on one of them: the `wildcard_bind` key.
package enum WildcardBind: Hashable, Sendable { case literal, meansOwned }

package struct EnvironmentEntry: Hashable, Sendable {
  package var name: String
  package var value: String
  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// Under whom the main process runs; names or numbers, resolved at each launch.
package struct CredentialsDefinition: Hashable, Sendable {
  package var user: String?
  package var group: String?
  /// nil: those of the user, initgroups(3).
  package var supplementaryGroups: [String]?
  package init() {}
}

/// One resource limit, getrlimit(2).
package struct LimitDefinition: Hashable, Sendable, Codable {
  /// The key of the configuration: "nofile", "nproc", ….
  package var name: String
  /// RLIMIT_….
  package var resource: UInt32
  /// `UInt64.max` is RLIM_INFINITY.
  package var soft: UInt64
  package var hard: UInt64
  package init(name: String, resource: UInt32, soft: UInt64, hard: UInt64) {
    self.name = name
    self.resource = resource
    self.soft = soft
    self.hard = hard
  }
}

/// When a generation counts as ready.
package enum Readiness: String, Hashable, Sendable, CaseIterable {
  /// The program was executed.
  case exec
  /// READY=1 came from a descendant, sd_notify(3).
  case notify
  /// Every guarded port listens, in a descendant.
  case listen
  /// It called listen(2) for one of its sockets, or bound one of datagrams: interception tells.
  case bind
}

/// What follows when a generation is not ready within `start_timeout`.
package enum StartTimeoutAction: Hashable, Sendable, CaseIterable {
  case fail
  /// It counts as ready: whoever waits for it waits no longer.
  case proceed
}

/// What becomes of those who outlive the main process of their generation.
package enum StrayPolicy: String, Hashable, Sendable, CaseIterable {
  case kill
  /// They live on, and the ports are taken from them.
  case release
  /// They live on with what they have, and are named.
  case report
}

package enum RestartPolicy: String, Hashable, Sendable, CaseIterable {
  case always
  case onFailure = "on-failure"
  case never
}

/// Delays between failing launches: initial, initial × factor, … up to max, each ± jitter.
package struct BackoffDefinition: Hashable, Sendable {
  package var initial: Duration = .milliseconds(100)
  package var max: Duration = .seconds(30)
  /// ≥ 1.
  package var factor = 2.0
  /// 0 … 1: the share by which a delay may be longer or shorter.
  package var jitter = 0.1
  package init() {}
}

/// At most `burst` automatic launches within `interval`; then `action`.
package struct StartLimitDefinition: Hashable, Sendable {
  package var burst = 10
  package var interval: Duration = .seconds(60)
  package var action = Action.retry

  package enum Action: String, Hashable, Sendable, CaseIterable {
    /// Go on at the longest backoff.
    case retry
    /// Give up: the service is failed until somebody starts it.
    case fail
  }
  package init() {}
}

/// Where the output of a service goes.
package enum LogDefinition: Hashable, Sendable {
  /// No `log` key: the journal when the daemon's own output goes there, else `inherit`.
  case standard
  case journal
  case inherit
  case none
  case file(LogFileDefinition)
}

package struct LogFileDefinition: Hashable, Sendable {
  /// Absolute; relative paths were resolved against the configuration's folder.
  package var path: String
  /// Bytes; the file is rotated at a line's end before it grows past this.
  package var maxSize: Int = 50 << 20
  /// How many rotated files stay: PATH.1 (the newest) … PATH.keep.
  package var keep = 5
  package init(path: String) { self.path = path }
}
