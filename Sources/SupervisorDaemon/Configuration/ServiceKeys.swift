// The keys of [service.NAME].

import Supervisor

enum ServiceKeys {
  private static let table = KeyTable<ServiceDraft>(
    whatRuns + underWhichConditions + whenItRuns + howItStops + WatchKeys.all + later)

  private static let whatRuns: [Key<ServiceDraft>] = [
    Key("command", \.command, .command),
    Key("sockets", \.sockets, .uniqueNames),
    Key("pass") { entry, draft, diagnostics in
      draft.passSpan = entry.node.span
      if let mode = Decoding.passMode.decode(entry.node, diagnostics) { draft.definition.pass = mode }
    },
    Key("accept") { entry, draft, diagnostics in
      draft.acceptSpan = entry.keySpan
      if let accepts = Decoding.boolean.decode(entry.node, diagnostics) { draft.accepts = accepts }
    },
    Key("max_connections") { entry, draft, diagnostics in
      draft.connectionLimitSpan = entry.keySpan
      if let limit = Decoding.integer(1...100_000).decode(entry.node, diagnostics) {
        draft.connectionLimit = limit
      }
    },
    Key("wildcard_bind") { entry, draft, diagnostics in
      if let isMeant = Decoding.boolean.decode(entry.node, diagnostics) {
        draft.definition.wildcardBind = isMeant ? .meansOwned : .literal
      }
    },
    Key("ports", \.ports, Decoding.address.located.array),
    Key("environment", \.environment, .environment),
    Key("environment_file", \.environmentFile, Decoding.path.located),
    Key("directory", \.definition.directory, .path),
    Key("log", \.definition.log, .log),
  ]

  private static let underWhichConditions: [Key<ServiceDraft>] = [
    Key("user", \.definition.credentials.user, .account),
    Key("group", \.definition.credentials.group, .account),
    Key("supplementary_groups", \.definition.credentials.supplementaryGroups, Decoding.account.array),
    Key("umask", \.definition.umask, .permissions),
    Key("limits") { entry, draft, diagnostics in
      guard let limits = Decoding.limits.decode(entry.node, diagnostics) else { return }
      draft.definition.limits = limits.ofProcesses
      draft.definition.resources = limits.ofService
    },
    Key("nice", \.definition.nice, .integer(-20...19)),
    Key("no_new_privileges", \.definition.noNewPrivileges, .boolean),
    Key("ambient_capabilities", \.definition.ambientCapabilities, Decoding.capability.array),
    Key("oom_score_adjust", \.definition.oomScoreAdjust, .integer(-1000...1000)),
  ]

  private static let whenItRuns: [Key<ServiceDraft>] = [
    Key("autostart", \.definition.autostart, .boolean),
    Key("after", \.after, .uniqueNames),
    Key("requires", \.requires, .uniqueNames),
    Key("readiness") { entry, draft, diagnostics in
      draft.readinessSpan = entry.node.span
      if let readiness = Decoding.readiness.decode(entry.node, diagnostics) {
        draft.definition.readiness = readiness
      }
    },
    Key("start_timeout", \.definition.startTimeout, .positiveDuration),
    Key("restart", \.definition.restart, .choice(of: RestartPolicy.self)),
    Key(
      "backoff", \.definition.backoff, backoff.decoding("backoff", from: BackoffDefinition()).checkingOrder),
    Key(
      "start_limit", \.definition.startLimit, startLimit.decoding("start_limit", from: StartLimitDefinition())
    ),
    .checked("start", .choice([("eager", ())], later: ["on-demand"])),
    .checked("restart_mode", .choice([("replace", ())], later: ["overlap"])),
  ]

  private static let howItStops: [Key<ServiceDraft>] = [
    Key("stop_signal", \.stopSignal, .signal),
    Key("stop_timeout", \.definition.stopTimeout, .duration),
    Key("stray_timeout", \.definition.strayTimeout, .duration),
    Key("reload_signal", \.definition.reloadSignal, .signal),
    Key("survive", \.definition.survive, .boolean),
    Key("strays", \.definition.strays, .choice(of: StrayPolicy.self)),
    Key("stray_allow", \.definition.strayAllow, .processNames),
  ]

  private static let later: [Key<ServiceDraft>] = [
    .later("instances") { if case .integer(1, _) = $0 { true } else { false } },
    .later("idle_stop"), .later("health"), .later("watchdog"),
  ]

  private static let backoff = KeyTable<BackoffDefinition>([
    Key("initial", \.initial, .positiveDuration),
    Key("max", \.max, .positiveDuration),
    Key("factor", \.factor, .number("of 1 or more") { $0 >= 1 }),
    Key("jitter", \.jitter, .number("from 0 to 1") { (0...1).contains($0) }),
  ])

  private static let startLimit = KeyTable<StartLimitDefinition>([
    Key("burst", \.burst, .integer(1...1_000_000)),
    Key("interval", \.interval, .positiveDuration),
    Key("action", \.action, .choice(of: StartLimitDefinition.Action.self)),
  ])

  /// A draft even after errors, so that references to the name don't cause more of them.
  static func read(_ entry: TOMLEntry, _ diagnostics: Diagnostics) -> ServiceDraft {
    var draft = ServiceDraft(name: Located(value: entry.key, span: entry.keySpan))
    table.read(entry.node, draft.place, into: &draft, diagnostics)
    if case .table(let keys) = entry.node.value, !keys.contains(where: { $0.key == "command" }) {
      diagnostics.error(
        "\(draft.place) has no 'command'; write command = [\"PROGRAM\", \"ARGUMENT\"]", at: entry.keySpan)
    }
    if draft.definition.readiness == .listen, draft.ports.isEmpty, let span = draft.readinessSpan {
      diagnostics.error("readiness = \"listen\" waits for guarded ports, and 'ports' has none", at: span)
    }
    checkReadinessByBind(draft, diagnostics)
    WatchKeys.check(draft, entry.node, diagnostics)
    return draft
  }

  /// It is interception that sees who binds.
  private static func checkReadinessByBind(_ draft: ServiceDraft, _ diagnostics: Diagnostics) {
    guard draft.definition.readiness == .bind, let span = draft.readinessSpan else { return }
    if draft.sockets.isEmpty {
      diagnostics.error("readiness = \"bind\" waits for its sockets, and 'sockets' has none", at: span)
    } else if draft.finished.pass.interception == .none {
      diagnostics.error(
        "readiness = \"bind\" needs interception; write pass = \"auto\" or pass = \"intercept\"", at: span)
    }
  }
}

extension Decoding where Value == PassMode {
  fileprivate static let passMode = choice(PassMode.all.map { ($0.name, $0) })
}

extension Decoding where Value == BackoffDefinition {
  fileprivate var checkingOrder: Decoding {
    requiring("'initial' is longer than 'max'") { $0.initial <= $0.max }
  }
}

extension Decoding where Value == [Located<String>] {
  /// References to definitions, each at most once.
  ///
  /// Whether they exist is checked when all files are read.
  fileprivate static let uniqueNames = Decoding<String>.string.located.array.then { names, _, diagnostics in
    var seen: Set<String> = []
    for name in names where !seen.insert(name.value).inserted {
      diagnostics.error("\(quoted(name.value)) is listed twice", at: name.span)
    }
    return names
  }
}

extension Decoding where Value == [String] {
  /// Patterns for what processes are called, fnmatch(3); whom none of them could match is a mistake.
  fileprivate static let processNames = Decoding<String>.string.located.array.then { names, _, diagnostics in
    for name in names where name.value.isEmpty || name.value.contains("/") {
      diagnostics.error(
        "\(quoted(name.value)) is no name of a process: names have no '/', as in \"tmux*\"", at: name.span)
    }
    return names.map(\.value)
  }
}

extension Decoding where Value == Readiness {
  fileprivate static let readiness = Decoding { node, diagnostics in
    guard let entry = node.entries.first else { return choice(of: Readiness.self).decode(node, diagnostics) }
    let later = ["command", "tcp", "http"]
    if later.contains(entry.key) {
      diagnostics.error("readiness by '\(entry.key)' is not supported yet", at: entry.keySpan)
    } else {
      let near = Spelling.suggestion(for: entry.key, among: later)
      diagnostics.error("unknown key \(quoted(entry.key)) in readiness\(near)", at: entry.keySpan)
    }
    return nil
  }
}
