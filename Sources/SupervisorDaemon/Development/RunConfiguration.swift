// From a command, a Procfile or a configuration to what the daemon supervises at a desk. Pure: it reads no file.

import Supervisor

/// The configuration of one `run`.
package struct RunConfiguration: Sendable {
  package var configuration: Configuration
  /// What the person should read before anything starts: one line each.
  package var remarks: [String] = []

  /// Where it runs, and under whom.
  package struct Surroundings: Hashable, Sendable {
    /// Absolute.
    package var folder: String
    /// By which processes of a run in this folder are known again.
    package var marker: String
    package var isRoot: Bool
    package var environment: [String: String]

    package init(folder: String, marker: String, isRoot: Bool, environment: [String: String] = [:]) {
      self.folder = folder
      self.marker = marker
      self.isRoot = isRoot
      self.environment = environment
    }
  }

  /// In the environment of every process of a run; its value is the folder's identity.
  package static let markerName = "FDSUPERVISORD_RUN"

  /// What counts as a source when nobody says it: what people edit, and programs rarely write.
  package static let sources = [
    "**/*.{py,pyi,rb,rake,ru,erb,php,js,mjs,cjs,jsx,ts,mts,cts,tsx,vue,svelte,go,rs,swift,java,kt,kts,scala,clj}",
    "**/*.{cs,fs,ex,exs,eex,heex,erl,lua,pl,pm,R,jl,hs,ml,nim,zig,c,cc,cpp,h,hpp,sh,bash}",
    "**/*.{html,htm,jinja,jinja2,j2,ejs,hbs,mustache,pug,tmpl,gohtml,graphql,proto,sql}",
    "**/*.{toml,yaml,yml,json,ini,cfg,conf,env,properties,xml}", "**/{Procfile,Gemfile,Makefile,.env}",
  ]

  // MARK: One command

  /// One service for the command of `run -- COMMAND`.
  package static func of(
    command: [String], _ arguments: RunArguments, environment: [EnvironmentEntry], _ place: Surroundings
  ) -> RunConfiguration {
    let name = arguments.name ?? self.name(of: command)
    var service = ServiceDefinition(name: name, command: command)
    service.environment = environment
    var result = RunConfiguration(configuration: Configuration())
    for (index, address) in arguments.listen.enumerated() {
      let socket = arguments.listen.count == 1 ? "web" : "web\(index + 1)"
      result.configuration.sockets.append(SocketDefinition(name: socket, addresses: [address]))
      service.sockets.append(socket)
    }
    if let pass = arguments.pass {
      service.pass = pass
      if let signal = pass.stopSignal { service.stopSignal = signal }
    } else {
      // With an address that is known, a program that wants LISTEN_FDS is served as well.
      service.pass = arguments.listen.isEmpty ? Self.intercepted : .auto
    }
    result.add(service, arguments, place)
    return result
  }

  // MARK: Several

  /// Services for the lines of a Procfile, run by a shell as foreman does.
  package static func of(
    processes: [(name: String, command: String)], _ arguments: RunArguments,
    environment: [EnvironmentEntry], _ place: Surroundings
  ) -> Result<RunConfiguration, Arguments.UsageError> {
    let known = processes.map(\.name)
    if let unknown = arguments.services.first(where: { !known.contains($0) }) {
      return .failure(unknownService(unknown, known))
    }
    var result = RunConfiguration(configuration: Configuration())
    let base = basePort(arguments, environment, place)
    for (index, process) in processes.enumerated() {
      if !arguments.services.isEmpty, !arguments.services.contains(process.name) { continue }
      var service = ServiceDefinition(name: process.name, command: ["/bin/sh", "-c", process.command])
      service.environment = environment.filter { $0.name != "PORT" }
      // The place in the file decides, whoever else is started: a port stays what it was.
      service.environment.append(EnvironmentEntry(name: "PORT", value: "\(base + index * portStep)"))
      service.pass = Self.intercepted
      result.add(service, arguments, place)
    }
    return .success(result)
  }

  /// A configuration as it was loaded: its services run as they do elsewhere, and what they bind is found as well.
  package static func of(
    loaded: Configuration, _ arguments: RunArguments, _ place: Surroundings
  ) -> Result<RunConfiguration, Arguments.UsageError> {
    var result = RunConfiguration(configuration: loaded)
    let known = loaded.services.map(\.name)
    if let unknown = arguments.services.first(where: { !known.contains($0) }) {
      return .failure(unknownService(unknown, known))
    }
    let wanted = Self.closure(
      of: arguments.services.isEmpty ? known : arguments.services, in: loaded.services)
    result.configuration.services = []
    for definition in loaded.services where wanted.contains(definition.name) {
      var service = definition
      service.directory = definition.directory ?? place.folder
      if !place.isRoot { service.noNewPrivileges = true }
      service.environment.append(.init(name: markerName, value: place.marker))
      if service.sockets.isEmpty, service.ports.isEmpty, service.accept == nil {
        service.pass = Self.intercepted
        service.discovers = true
      }
      if case .journal = service.log { service.log = .inherit }
      result.configuration.services.append(service)
    }
    let used = Set(result.configuration.services.flatMap(\.sockets))
    result.configuration.sockets = loaded.sockets.filter { used.contains($0.name) }
    result.configuration.daemon.control = nil
    result.configuration.daemon.controlGroup = nil
    return .success(result)
  }

  /// Those that are named, and what they require.
  private static func closure(of names: [String], in services: [ServiceDefinition]) -> Set<String> {
    var found = Set(names)
    var work = names
    while let name = work.popLast() {
      for required in services.first(where: { $0.name == name })?.requires ?? []
      where found.insert(required).inserted {
        work.append(required)
      }
    }
    return found
  }

  private static func unknownService(_ name: String, _ known: [String]) -> Arguments.UsageError {
    .init(
      description: "no service is called \"\(ProcessTable.printable(name))\"; there are: "
        + "\(known.joined(separator: ", ")). For a command: fdsupervisord run -- \(ProcessTable.printable(name)) …"
    )
  }

  // MARK: Each service

  /// foreman(1): the first process gets 5000, each further one 100 more.
  private static let firstPort = 5000
  private static let portStep = 100

  private static func basePort(
    _ arguments: RunArguments, _ environment: [EnvironmentEntry], _ place: Surroundings
  ) -> Int {
    if let port = arguments.port { return Int(port) }
    let told = environment.last { $0.name == "PORT" }?.value ?? place.environment["PORT"]
    return told.flatMap { Int($0) } ?? firstPort
  }

  /// As `intercept`, but a machine that can't intercept runs the program all the same.
  package static let intercepted = PassMode(
    name: "intercept", descriptors: .atBind, interception: .wherePossible)

  /// So long a program may take to listen; then it counts as ready without.
  private static let patience: Duration = .seconds(10)

  private mutating func add(_ definition: ServiceDefinition, _ arguments: RunArguments, _ place: Surroundings)
  {
    var service = definition
    service.directory = place.folder
    service.discovers = true
    service.wildcardBind = .meansOwned
    service.restart = .never
    // Where nobody sees it listen, it is ready when it is executed.
    service.readiness = service.pass.interception == .none ? .exec : .bind
    service.startTimeout = Self.patience
    service.startTimeoutAction = .proceed
    service.stopTimeout = .seconds(5)
    service.strayTimeout = .milliseconds(250)
    service.log = .inherit
    service.usesTerminal = arguments.standardInput == .terminal
    // SECCOMP_SET_MODE_FILTER wants CAP_SYS_ADMIN or this, seccomp(2).
    service.noNewPrivileges = !place.isRoot
    if let port = arguments.port, !service.environment.contains(where: { $0.name == "PORT" }) {
      service.environment.append(.init(name: "PORT", value: "\(port)"))
    }
    // Into a pipe Python writes blocks of 8 KiB, and a person waits for lines.
    if place.environment["PYTHONUNBUFFERED"] == nil,
      !service.environment.contains(where: { $0.name == "PYTHONUNBUFFERED" })
    {
      service.environment.append(.init(name: "PYTHONUNBUFFERED", value: "1"))
    }
    service.environment.append(.init(name: Self.markerName, value: place.marker))
    service.watch = watch(service, arguments, place)
    configuration.services.append(service)
  }

  private mutating func watch(
    _ service: ServiceDefinition, _ arguments: RunArguments, _ place: Surroundings
  ) -> WatchDefinition? {
    switch arguments.watching {
    case .never: return nil
    case .automatic:
      let words = service.command.flatMap { $0.split(separator: " ").map(String.init) }
      if let word = OwnReloader.word(in: words) {
        remarks.append(
          "\(service.name): \"\(word)\" watches files itself, so they are not watched here (--watch does)")
        return nil
      }
    case .always: break
    }
    return WatchDefinition(
      folder: place.folder, patterns: arguments.watch.isEmpty ? Self.sources : arguments.watch,
      ignored: arguments.ignore, delay: arguments.delay)
  }

  /// What a service is called that nobody named: its program, or what an interpreter runs.
  package static func name(of command: [String]) -> String {
    let interpreters: Set<String> = [
      "python", "node", "ruby", "php", "perl", "sh", "bash", "env", "npx", "uv", "bundle",
    ]
    func bare(_ word: String) -> String {
      let base = word.split(separator: "/").last.map(String.init) ?? word
      let stem = base.split(separator: ".").first.map(String.init) ?? base
      return String(String.UnicodeScalarView(stem.unicodeScalars.filter(DefinitionName.isAllowed)))
    }
    func isInterpreter(_ word: String) -> Bool {
      let base = word.split(separator: "/").last.map(String.init) ?? word
      return interpreters.contains(String(base.prefix { !$0.isNumber && $0 != "." }))
    }
    var name = bare(command[0])
    if isInterpreter(command[0]),
      let script = command.dropFirst().first(where: { !$0.hasPrefix("-") && !$0.contains(" ") })
    {
      name = bare(script)
    }
    return DefinitionName.problem(with: name) == nil ? name : "app"
  }
}
