// The control protocol: which methods there are, and what goes in and out. JSON over Varlink.

/// The methods of the interface `org.fdsupervisord.Control`: a closed list.
///
/// Nothing is dispatched by a name from the wire.
package enum ControlMethod: String, CaseIterable, Sendable {
  case status = "Status"
  case start = "Start"
  case stop = "Stop"
  case restart = "Restart"
  case reload = "Reload"
  case signal = "Signal"
  case wait = "Wait"
  case logs = "Logs"
  case attach = "Attach"
  case sockets = "Sockets"
  case holders = "Holders"
  case free = "Free"
  case tree = "Tree"
  case doctor = "Doctor"
  case reloadConfig = "ReloadConfig"
  case reexec = "Reexec"
  case shutdown = "Shutdown"

  package static let interface = "org.fdsupervisord.Control"
}

/// Errors of the interface; the wire's name is "org.fdsupervisord.Control." and the raw value.
package enum ControlError: String, CaseIterable, Sendable {
  /// A name or pattern matches no service.
  case noSuchService = "NoSuchService"
  /// What was asked for was tried, and failed: `message` says why.
  case failed = "Failed"
  /// The caller may not do this.
  case permissionDenied = "PermissionDenied"
  case invalidArgument = "InvalidArgument"
}

/// The parameters of every error of ours.
package struct ErrorParameters: Codable, Hashable, Sendable {
  package var message: String
  package init(message: String) { self.message = message }
}

/// The parameters of Status, Start, Restart, Reload, Tree, Wait: names or patterns (`*`, `?`, `[…]`), or all.
package struct ServiceSelection: Codable, Hashable, Sendable {
  package var names: [String]
  /// Every service; `names` is empty then.
  package var all: Bool?
  package init(names: [String], all: Bool? = nil) {
    self.names = names
    self.all = all
  }
}

/// Stop.
///
/// `close` shuts the sockets of the services too, for a run by hand; `start` opens them again.
package struct StopParameters: Codable, Hashable, Sendable {
  package var names: [String]
  package var all: Bool?
  package var close: Bool?
  package init(names: [String], all: Bool? = nil, close: Bool? = nil) {
    self.names = names
    self.all = all
    self.close = close
  }
}

package struct SignalParameters: Codable, Hashable, Sendable {
  package var names: [String]
  package var all: Bool?
  /// A name ("SIGUSR1", "USR1") or a number.
  package var signal: String
  package init(names: [String], all: Bool? = nil, signal: String) {
    self.names = names
    self.all = all
    self.signal = signal
  }
}

/// Wait until every selected service is running; the timeout is in milliseconds, absent: for ever.
package struct WaitParameters: Codable, Hashable, Sendable {
  package var names: [String]
  package var all: Bool?
  package var timeout: Int?
  package init(names: [String], all: Bool? = nil, timeout: Int? = nil) {
    self.names = names
    self.all = all
    self.timeout = timeout
  }
}

package struct LogsParameters: Codable, Hashable, Sendable {
  package var name: String
  /// How many of the last lines; absent: 10.
  package var lines: Int?
  /// Go on with every line that comes (needs `more`).
  package var follow: Bool?
  package init(name: String, lines: Int? = nil, follow: Bool? = nil) {
    self.name = name
    self.lines = lines
    self.follow = follow
  }
}

/// The parameters of Attach: a view of the console of `fdsupervisord run`.
package struct AttachParameters: Codable, Hashable, Sendable {
  /// How many of the last lines; absent: 10.
  package var lines: Int?
  /// With the colours of a terminal.
  package var colours: Bool?
  package init(lines: Int? = nil, colours: Bool? = nil) {
    self.lines = lines
    self.colours = colours
  }
}

/// The parameters of Holders and Free: an address as in the configuration, or the name of a socket.
package struct AddressParameters: Codable, Hashable, Sendable {
  package var address: String
  /// Free: end only these, whom the person was shown; absent: whoever holds the address.
  package var pids: [Int32]?
  package init(address: String, pids: [Int32]? = nil) {
    self.address = address
    self.pids = pids
  }
}

/// The parameters of Sockets, Doctor, Reexec and Shutdown, and the reply of Shutdown.
package struct NoParameters: Codable, Hashable, Sendable {
  package init() {}
}

/// The reply of Status.
package struct StatusReply: Codable, Hashable, Sendable {
  package var services: [ServiceStatus]
  package init(services: [ServiceStatus]) { self.services = services }
}

package struct ServiceStatus: Codable, Hashable, Sendable {
  package var name: String
  package var state: PublicState
  /// The main process; absent while there is none.
  package var pid: Int32?
  /// The last launch, numbered from 1; 0 before the first.
  package var generation: Int
  /// Launches after the first.
  package var restarts: Int
  /// When it came into this state: seconds since 1970.
  package var since: Double
  package var sockets: [String]
  package var ports: [String]
  package var lastExit: LastExit?
  /// Why it is not running, or what is wrong: one line.
  package var message: String?
  /// The last lines it wrote, when it failed to start.
  package var lastLines: [String]?
  /// For backoff: milliseconds until the next launch.
  package var retryIn: Int?
  /// The report of the last relaunch.
  package var report: RelaunchReport?
  /// Bytes that it uses; absent without a cgroup that counts them.
  package var memory: Int?
  /// Processor time of this generation, in milliseconds; absent without a cgroup.
  package var cpu: Int?
  /// Processes of this generation; absent without a cgroup.
  package var tasks: Int?
  /// Earlier generations of whom somebody lives on, by the configuration; absent when there are none.
  package var retained: [RetainedStatus]?

  package enum CodingKeys: String, CodingKey {
    case name, state, pid, generation, restarts, since, sockets, ports, message, report, memory, tasks,
      retained
    case cpu = "cpu_ms"
    case lastExit = "last_exit"
    case lastLines = "last_lines"
    case retryIn = "retry_in_ms"
  }

  package init(
    name: String, state: PublicState, pid: Int32?, generation: Int, restarts: Int, since: Double,
    sockets: [String], ports: [String]
  ) {
    self.name = name
    self.state = state
    self.pid = pid
    self.generation = generation
    self.restarts = restarts
    self.since = since
    self.sockets = sockets
    self.ports = ports
  }
}

/// A generation that is over, and of whom somebody lives on beside the one that runs.
package struct RetainedStatus: Codable, Hashable, Sendable {
  package var generation: Int
  package var keeper: Int32
  /// As they were when it ended.
  package var strays: [RelaunchReport.StrayRecord]
  package init(generation: Int, keeper: Int32, strays: [RelaunchReport.StrayRecord]) {
    self.generation = generation
    self.keeper = keeper
    self.strays = strays
  }
}

/// The last reply of Start, Stop, Restart, Reload, Signal, Wait: one outcome for each service.
package struct OperationReply: Codable, Hashable, Sendable {
  package var outcomes: [Outcome]
  package init(outcomes: [Outcome]) { self.outcomes = outcomes }

  package struct Outcome: Codable, Hashable, Sendable {
    package var service: String
    package var ok: Bool
    /// One line, for people.
    package var message: String
    package var report: RelaunchReport?
    /// The last lines it wrote, when it failed.
    package var lastLines: [String]?

    package enum CodingKeys: String, CodingKey {
      case service, ok, message, report
      case lastLines = "last_lines"
    }

    package init(
      service: String, ok: Bool, message: String, report: RelaunchReport? = nil, lastLines: [String]? = nil
    ) {
      self.service = service
      self.ok = ok
      self.message = message
      self.report = report
      self.lastLines = lastLines
    }
  }
}

/// What streams before the last reply when the call says `more`: "app: stopping pid 18011 (SIGTERM)".
package struct ProgressReply: Codable, Hashable, Sendable {
  package var progress: Progress
  package init(service: String, message: String) { progress = Progress(service: service, message: message) }

  package struct Progress: Codable, Hashable, Sendable {
    package var service: String
    package var message: String
  }
}

/// The reply of Logs and Attach.
package struct LogsReply: Codable, Hashable, Sendable {
  package var lines: [String]
  package init(lines: [String]) { self.lines = lines }
}

/// The reply of Reexec, sent by the program that took over.
package struct ReexecReply: Codable, Hashable, Sendable {
  /// The version of the program before, and of this one.
  package var from: String
  package var to: String
  package var pid: Int32
  /// How many services went on running.
  package var services: Int
  /// From the call to the reply, and how much of it nobody was served.
  package var milliseconds: Double
  package var pause: Double

  package enum CodingKeys: String, CodingKey {
    case from, to, pid, services, milliseconds
    case pause = "pause_ms"
  }

  package init(
    from: String, to: String, pid: Int32, services: Int, milliseconds: Double, pause: Double
  ) {
    self.from = from
    self.to = to
    self.pid = pid
    self.services = services
    self.milliseconds = milliseconds
    self.pause = pause
  }

  /// One line, for people.
  package var text: String {
    "fdsupervisord \(from) → \(to), pid \(pid), \(Text.counted(services, "service")) kept, "
      + "\(Int(milliseconds.rounded())) ms"
  }
}

/// What `doctor` found out about this machine, one line each.
package struct DoctorReply: Codable, Hashable, Sendable {
  package var findings: [Finding]
  package init(findings: [Finding]) { self.findings = findings }

  package struct Finding: Codable, Hashable, Sendable {
    package var name: String
    package var ok: Bool
    package var message: String
    package init(name: String, ok: Bool, message: String) {
      self.name = name
      self.ok = ok
      self.message = message
    }
  }
}
