// A number for what a generation was launched with, so that another daemon can tell whether that is still wanted.

/// FNV-1a over everything in a definition that its processes, or their surroundings, could notice.
///
/// It counts the keys for which a reload relaunches, see `ServiceDefinition.keys`; a test holds the two together. What
/// only the supervisor uses (timeouts, backoff, restart policy) does not count: the next daemon applies its own.
/// The same within one build; another build may count other keys, and then relaunches once.
package struct DefinitionFingerprint: Hashable, Sendable {
  package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  /// - Parameter sockets: all of the configuration; those that the service can name count.
  package init(of definition: ServiceDefinition, sockets: [SocketDefinition]) {
    add(definition.command)
    for socket in sockets where Self.names(definition, socket.name) {
      add([socket.name] + socket.addresses.map(\.description))
    }
    add(definition.sockets)
    add([definition.pass.name, definition.readiness.rawValue])
    add([
      definition.accept.map { String($0.limit) } ?? "",
      definition.wildcardBind == .literal ? "" : "wildcard_bind",
    ])
    add(definition.ports.map(\.description))
    add(definition.environment.flatMap { [$0.name, $0.value] })
    add(definition.directory.map { [$0] } ?? [])
    add(definition.credentials)
    add(definition.limits.flatMap { [$0.name, String($0.soft), String($0.hard)] })
    add(definition.resources.texts)
    add(definition.ambientCapabilities)
    add([
      String(definition.umask), definition.nice.map { String($0) } ?? "",
      definition.oomScoreAdjust.map { String($0) } ?? "",
      definition.noNewPrivileges ? "no_new_privileges" : "",
      definition.survive ? "survive" : "",
    ])
    add(definition.log)
  }

  /// It is given the socket, or a placeholder refers to it.
  private static func names(_ definition: ServiceDefinition, _ socket: String) -> Bool {
    definition.sockets.contains(socket)
      || (definition.command + definition.environment.map(\.value)).contains { $0.contains(":\(socket)}") }
  }

  private mutating func add(_ credentials: CredentialsDefinition) {
    add([credentials.user ?? "", credentials.group ?? ""])
    add(credentials.supplementaryGroups ?? ["the user's"])
  }

  private mutating func add(_ log: LogDefinition) {
    switch log {
    case .standard: add(["standard"])
    case .journal: add(["journal"])
    case .inherit: add(["inherit"])
    case .none: add(["none"])
    case .file(let file): add(["file", file.path, String(file.maxSize), String(file.keep)])
    }
  }

  /// Each text with an end, and the list with its length: no two lists look alike.
  private mutating func add(_ texts: [String]) {
    add(UInt8(truncatingIfNeeded: texts.count))
    for text in texts {
      for byte in text.utf8 { add(byte) }
      add(UInt8(0))
    }
  }

  private mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
}
