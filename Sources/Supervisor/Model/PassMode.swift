// How a service is told of its sockets: the conventions of the field as one table of data.

/// A convention by which a program takes over open sockets: the `pass` key.
package struct PassMode: Hashable, Sendable {
  /// As in the configuration.
  package var name: String
  package var variables = Variables.none
  package var descriptors = Descriptors.fromThree
  /// Beside those that the convention computes.
  package var environment: [Template] = []
  /// Put behind the arguments of the command, for each socket.
  package var arguments: [String] = []
  /// Whether the program's own bind(2) gets it the sockets.
  package var interception = Interception.none
  /// What asks the program to end with grace; nil: SIGTERM does.
  package var stopSignal: Int32?
  /// At most so many sockets; nil: any number.
  package var socketLimit: Int?
  /// An exit status by which the program asks to be started again.
  package var relaunchStatus: Int32?

  /// The variables that need more than a template: counts, pids, generations.
  package enum Variables: Hashable, Sendable {
    case none
    /// LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, sd_listen_fds(3).
    case systemd
    /// SERVER_STARTER_PORT and SERVER_STARTER_GENERATION, start_server(1).
    case serverStarter
    /// EINHORN_FD_COUNT, EINHORN_FD_0 … and EINHORN_MASTER_PID, the pid of the parent, as Einhorn sets them.
    case einhorn
  }

  /// Where the sockets are.
  package enum Descriptors: Hashable, Sendable {
    /// From 3 on, in the order of `sockets`.
    case fromThree
    /// Nowhere: it gets them when it binds their addresses.
    case atBind
    /// One socket as standard input and output, as inetd(8) has it with "wait".
    case standardStreams
  }

  package enum Interception: Hashable, Sendable, Codable {
    case none
    /// As far as the daemon's rights and the kernel allow.
    case wherePossible
    /// Without it there is no launch.
    case required
  }

  /// A variable of which a part is repeated for each socket.
  ///
  /// `{fd}`, `{address}` and `{url}` are those of the socket; `{NAME}` in the variable's name is the socket's in
  /// upper case: one variable for each socket.
  package struct Template: Hashable, Sendable {
    package var name: String
    package var value: String
    package var separator = ""
  }

  package static let systemd = PassMode(name: "systemd", variables: .systemd)
  package static let none = PassMode(name: "none")
  /// For programs that know no convention: bind(2) gives them the owned listener.
  package static let intercept = PassMode(name: "intercept", descriptors: .atBind, interception: .required)
  /// For programs of either kind.
  package static let auto = PassMode(name: "auto", variables: .systemd, interception: .wherePossible)
  package static let stdin = PassMode(name: "stdin", descriptors: .standardStreams, socketLimit: 1)

  /// Everything that `pass` may be; what each program wants was observed with that program.
  package static let all: [PassMode] = [
    auto, systemd, stdin, intercept, none,
    PassMode(name: "server-starter", variables: .serverStarter),
    PassMode(name: "einhorn", variables: .einhorn),
    // Werkzeug takes the descriptor over only in what it believes to be the child of its reloader, and ends with 3
    // when a file changed, for its parent to start it again.
    PassMode(
      name: "flask",
      environment: [
        Template(name: "WERKZEUG_RUN_MAIN", value: "true"),
        Template(name: "WERKZEUG_SERVER_FD", value: "{fd}"),
      ], socketLimit: 1, relaunchStatus: 3),
    PassMode(name: "gunicorn", variables: .systemd),
    PassMode(name: "uvicorn", arguments: ["--fd", "{fd}"], socketLimit: 1),
    PassMode(name: "hypercorn", arguments: ["--bind", "fd://{fd}"]),
    PassMode(
      name: "nginx", environment: [Template(name: "NGINX", value: "{fd};")], stopSignal: 3),
    PassMode(
      name: "php-fpm", environment: [Template(name: "FPM_SOCKETS", value: "{address}={fd}", separator: ",")],
      stopSignal: 3),
    // bind "fd@${WEB_FD}", with the quotes: haproxy expands its environment within them.
    PassMode(name: "haproxy", environment: [Template(name: "{NAME}_FD", value: "{fd}")]),
    // server.listen({ fd: Number(process.env.WEB_FD) })
    PassMode(name: "node", variables: .systemd, environment: [Template(name: "{NAME}_FD", value: "{fd}")]),
    PassMode(name: "lighttpd", variables: .systemd, stopSignal: 2),
    PassMode(name: "puma", variables: .systemd, arguments: ["-b", "{url}"]),
  ]

  package init(
    name: String, variables: Variables = .none, descriptors: Descriptors = .fromThree,
    interception: Interception = .none, environment: [Template] = [], arguments: [String] = [],
    stopSignal: Int32? = nil, socketLimit: Int? = nil, relaunchStatus: Int32? = nil
  ) {
    self.name = name
    self.variables = variables
    self.descriptors = descriptors
    self.interception = interception
    self.environment = environment
    self.arguments = arguments
    self.stopSignal = stopSignal
    self.socketLimit = socketLimit
    self.relaunchStatus = relaunchStatus
  }
}
