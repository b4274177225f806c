// From a definition to a launch: environment, placeholders, program paths, account. No descriptor is touched here.

import Supervisor

/// A socket that a service is given, at its place: the first gets descriptor 3.
package struct PassedSocket: Hashable, Sendable {
  package var name: String
  package var address: SocketAddress

  package init(name: String, address: SocketAddress) {
    self.name = name
    self.address = address
  }
}

/// What surrounds a launch beside the definition.
package struct LaunchContext: Hashable, Sendable {
  /// In the order of the configuration, one for each listener.
  package var sockets: [PassedSocket] = []
  /// Every socket of the configuration, for `{port:NAME}` and `{address:NAME}`.
  package var allSockets: [SocketDefinition] = []
  /// "NAME=value" of the daemon itself.
  package var environment: [String] = []
  /// The path of the program that accepts for those that don't.
  package var acceptProgram = ""
  /// Our socket for sd_notify(3); absent when the service is not to notify.
  package var notifySocket: String?
  /// Where Einhorn's workers acknowledge.
  package var einhornSocket: String?

  package init() {}
}

package enum LaunchPreparation {
  /// The first descriptor after standard input, output and error, sd_listen_fds(3) SD_LISTEN_FDS_START.
  package static let firstPassedDescriptor = 3

  private static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// What is meant for the daemon and never for a service.
  private static let ownVariables: Set<String> = [
    "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "NOTIFY_SOCKET", "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "EINHORN_MASTER_PID", "EINHORN_SOCK_PATH", "EINHORN_SOCK_FD", "EINHORN_FD_COUNT", "SERVER_STARTER_PORT",
    "SERVER_STARTER_GENERATION", "FDSTORE", "MAINPID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "INVOCATION_ID",
    "MANAGERPID",
    "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
  ]

  package static func request(
    for definition: ServiceDefinition, generation: Int, context: LaunchContext
  ) throws(AccountError) -> LaunchRequest {
    let user = try AccountLookup.resolve(definition.credentials)
    let passing = SocketPassing(mode: definition.pass, sockets: context.sockets, generation: generation)
    let variables = environment(for: definition, user: user, passing, context)
    let arguments = definition.command.map { expand($0, passing, context) } + passing.arguments
    let path = variables.last { $0.name == "PATH" }?.value ?? defaultPath
    var request = LaunchRequest(
      service: definition.name, generation: generation, arguments: arguments,
      environment: variables.map { "\($0.name)=\($0.value)" },
      programs: programs(for: arguments[0], path: path))
    if let accept = definition.accept {
      request.programs = [context.acceptProgram]
      request.arguments =
        ["fdsupervisor-accept", "\(context.sockets.count)", "\(accept.limit)"] + arguments
    }
    request.user = user
    request.directory = definition.directory
    request.umask = definition.umask
    request.nice = definition.nice
    request.oomScoreAdjust = definition.oomScoreAdjust
    request.noNewPrivileges = definition.noNewPrivileges
    request.ambientCapabilities = definition.ambientCapabilities.reduce(0) { $0 | CapabilityName.bit($1) }
    request.limits = definition.limits
    request.strayTimeout = definition.strayTimeout
    request.listenPID = passing.listenPID
    request.masterPID = passing.masterPID
    let hasSockets = !context.sockets.isEmpty || definition.discovers
    request.interception = hasSockets ? definition.pass.interception : .none
    return request
  }

  private static func environment(
    for definition: ServiceDefinition, user: ResolvedUser?, _ passing: SocketPassing, _ context: LaunchContext
  ) -> [EnvironmentEntry] {
    var result: [EnvironmentEntry] = []
    var index: [String: Int] = [:]
    func set(_ name: String, _ value: String) {
      if let known = index[name] {
        result[known].value = value
      } else {
        index[name] = result.count
        result.append(EnvironmentEntry(name: name, value: value))
      }
    }
    for entry in context.environment {
      let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, !parts[0].isEmpty, !ownVariables.contains(String(parts[0])) {
        set(String(parts[0]), String(parts[1]))
      }
    }
    if let user, let name = user.name {
      for variable in ["USER", "LOGNAME"] { set(variable, name) }
      if let home = user.home { set("HOME", home) }
      if let shell = user.shell { set("SHELL", shell) }
    }
    if index["PATH"] == nil { set("PATH", defaultPath) }
    if let socket = context.notifySocket { set("NOTIFY_SOCKET", socket) }
    if let socket = context.einhornSocket { set("EINHORN_SOCK_PATH", socket) }
    for entry in passing.environment { set(entry.name, entry.value) }
    for entry in definition.environment { set(entry.name, expand(entry.value, passing, context)) }
    return result
  }

  /// Replaces {fd:NAME}, {port:NAME} and {address:NAME}; anything else in braces is left alone.
  private static func expand(_ text: String, _ passing: SocketPassing, _ context: LaunchContext) -> String {
    Placeholder.expand(text) { placeholder in
      let address = context.allSockets.first { $0.name == placeholder.name }?.addresses.first
      switch placeholder.kind {
      case .fd: return passing.descriptor(of: placeholder.name).map { String($0) }
      case .port: return address?.port.map { String($0) }
      case .address: return address?.spelledForPrograms
      }
    }
  }

  private static func programs(for program: String, path: String) -> [String] {
    if program.contains("/") { return [program] }
    return path.split(separator: ":", omittingEmptySubsequences: false)
      .map { $0.isEmpty ? "./\(program)" : "\($0)/\(program)" }
  }
}

extension SocketAddress {
  /// As programs want it in an argument: HOST:PORT, the path, or @name.
  package var spelledForPrograms: String {
    switch self {
    case .tcp: description
    case .udp(let ip, let port): SocketAddress.tcp(ip, port: port).description
    case .unix(_, .path(let path)): path
    case .unix(_, .abstract(let name)): "@" + name
    }
  }
}
