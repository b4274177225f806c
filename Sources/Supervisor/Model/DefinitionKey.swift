// What each key of the configuration decides, for a reload: whether what runs has to be relaunched or opened anew.

/// One key of a definition, with what a new value asks for.
package struct DefinitionKey<Definition, Effect> {
  /// As it is written in the configuration.
  package let name: String
  package let effect: Effect
  private let isSame: (Definition, Definition) -> Bool

  init<Value: Equatable>(_ name: String, _ property: KeyPath<Definition, Value>, _ effect: Effect) {
    self.name = name
    self.effect = effect
    isSame = { $0[keyPath: property] == $1[keyPath: property] }
  }

  package func differs(_ old: Definition, _ new: Definition) -> Bool { !isSame(old, new) }
}

/// What a new value of a service's key asks for.
package enum ServiceKeyEffect: Hashable, Sendable {
  /// The processes, or what surrounds them, could tell the difference.
  case relaunch
  /// Only the supervisor goes by it: it holds from the next time it is looked at.
  case inPlace
}

/// What a new value of a socket's key asks for.
package enum SocketKeyEffect: Hashable, Sendable {
  /// The kernel takes it for a socket that is bound.
  case inPlace
  /// It decides about the binding, or can't be taken back.
  case openAnew
}

extension ServiceDefinition {
  /// Every key; a test holds it to be complete.
  package static var keys: [DefinitionKey<ServiceDefinition, ServiceKeyEffect>] {
    [
      .init("command", \.command, .relaunch),
      .init("sockets", \.sockets, .relaunch),
      .init("pass", \.pass, .relaunch),
      .init("accept", \.accept, .relaunch),
      .init("wildcard_bind", \.wildcardBind, .relaunch),
      .init("ports", \.ports, .relaunch),
      .init("environment", \.environment, .relaunch),
      .init("directory", \.directory, .relaunch),
      .init("log", \.log, .relaunch),
      .init("user", \.credentials.user, .relaunch),
      .init("group", \.credentials.group, .relaunch),
      .init("supplementary_groups", \.credentials.supplementaryGroups, .relaunch),
      .init("umask", \.umask, .relaunch),
      .init("limits", \.allLimits, .relaunch),
      .init("nice", \.nice, .relaunch),
      .init("no_new_privileges", \.noNewPrivileges, .relaunch),
      .init("ambient_capabilities", \.ambientCapabilities, .relaunch),
      .init("oom_score_adjust", \.oomScoreAdjust, .relaunch),
      .init("readiness", \.readiness, .relaunch),
      .init("survive", \.survive, .relaunch),
      .init("autostart", \.autostart, .inPlace),
      .init("after", \.after, .inPlace),
      .init("requires", \.requires, .inPlace),
      .init("start_timeout", \.startTimeout, .inPlace),
      .init("restart", \.restart, .inPlace),
      .init("backoff", \.backoff, .inPlace),
      .init("start_limit", \.startLimit, .inPlace),
      .init("stop_signal", \.stopSignal, .inPlace),
      .init("stop_timeout", \.stopTimeout, .inPlace),
      .init("strays", \.strays, .inPlace),
      .init("stray_allow", \.strayAllow, .inPlace),
      .init("stray_timeout", \.strayTimeout, .inPlace),
      .init("reload_signal", \.reloadSignal, .inPlace),
      .init("watch", \.watch?.watched, .inPlace),
      .init("watch_ignore", \.watch?.ignored, .inPlace),
      .init("watch_delay", \.watch?.delay, .inPlace),
    ]
  }
}

extension WatchDefinition {
  /// The patterns, and what they are relative to.
  private struct Watched: Hashable {
    var folder: String
    var patterns: [String]
    var usesGitignore: Bool
  }

  fileprivate var watched: some Hashable {
    Watched(folder: folder, patterns: patterns, usesGitignore: usesGitignore)
  }
}

extension ServiceDefinition {
  /// One key for those of each process and those of all together.
  private struct AllLimits: Hashable {
    var ofEach: [LimitDefinition]
    var together: ResourceDefinition
  }

  private var allLimits: AllLimits { AllLimits(ofEach: limits, together: resources) }
}

extension SocketOptions {
  /// Every option; a test holds it to be complete.
  package static var keys: [DefinitionKey<SocketOptions, SocketKeyEffect>] {
    [
      .init("backlog", \.backlog, .inPlace),
      .init("mode", \.mode, .openAnew),
      .init("user", \.user, .openAnew),
      .init("group", \.group, .openAnew),
      .init("reuse_port", \.reusePort, .openAnew),
      .init("v6_only", \.v6Only, .openAnew),
      .init("bind_to_device", \.bindToDevice, .openAnew),
      .init("free_bind", \.freeBind, .openAnew),
      .init("transparent", \.transparent, .openAnew),
      .init("defer_accept", \.deferAccept, .inPlace),
      .init("fast_open", \.fastOpen, .inPlace),
      .init("keep_alive", \.keepAlive, .inPlace),
      .init("no_delay", \.noDelay, .inPlace),
      .init("receive_buffer", \.receiveBuffer, .inPlace),
      .init("send_buffer", \.sendBuffer, .inPlace),
      .init("mark", \.mark, .inPlace),
    ]
  }

  /// The keys whose values differ from those of other options.
  package func differences(from old: SocketOptions) -> (keys: [String], effect: SocketKeyEffect) {
    let differing = Self.keys.filter { $0.differs(old, self) }
    // What is no longer written goes back to the kernel's default, which only a new socket has.
    let wasRemoved = Self.removable.contains { $0(old) && !$0(self) }
    let isOpenedAnew = wasRemoved || differing.contains { $0.effect == .openAnew }
    return (differing.map(\.name), isOpenedAnew ? .openAnew : .inPlace)
  }

  private static var removable: [(SocketOptions) -> Bool] {
    [
      { $0.deferAccept != nil }, { $0.fastOpen != nil }, { $0.keepAlive != nil }, { $0.noDelay != nil },
      { $0.receiveBuffer != nil }, { $0.sendBuffer != nil }, { $0.mark != nil },
    ]
  }
}

extension DaemonDefinition {
  /// Every key; a test holds it to be complete.
  package static var keys: [DefinitionKey<DaemonDefinition, DaemonKeyEffect>] {
    [
      .init("control", \.control, .nextStart),
      .init("control_group", \.controlGroup, .nextStart),
      .init("log_level", \.logLevel, .atOnce),
      .init("ready", \.readiness, .nextStart),
    ]
  }
}

/// When a new value of a key of [daemon] counts.
package enum DaemonKeyEffect: Hashable, Sendable { case atOnce, nextStart }
