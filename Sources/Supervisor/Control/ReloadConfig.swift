// ReloadConfig: what goes in, and what is told of the difference and of what was done about it.

/// The parameters of ReloadConfig.
package struct ReloadConfigParameters: Codable, Hashable, Sendable {
  /// Tell what would be done, and do nothing.
  package var dryRun: Bool?

  package enum CodingKeys: String, CodingKey { case dryRun = "dry_run" }

  package init(dryRun: Bool? = nil) { self.dryRun = dryRun }
}

/// The reply of ReloadConfig.
package struct ReloadConfigReply: Codable, Hashable, Sendable {
  /// False when nothing was changed because that was impossible: `message` and `diagnostics` say why.
  package var ok: Bool
  /// One line, for people.
  package var message: String
  package var changes: [ConfigurationChange] = []
  /// What became of the services that were relaunched, started or stopped.
  package var outcomes: [OperationReply.Outcome] = []
  /// What else there is to say, one line each.
  package var remarks: [String] = []
  /// What is wrong with the configuration, or worth a warning.
  package var diagnostics: [CheckReply.Diagnostic] = []

  package init(ok: Bool, message: String) {
    self.ok = ok
    self.message = message
  }
}

/// One difference between the configuration that is in force and the one in the files.
package struct ConfigurationChange: Codable, Hashable, Sendable {
  package var kind: Kind
  /// Of the service or socket, or the key of [daemon].
  package var name: String
  package var change: Change
  /// Those that differ; "socket.NAME" where it is the socket that changed.
  package var keys: [String]
  package var action: Action

  package enum Kind: String, Codable, Hashable, Sendable { case daemon, socket, service }
  package enum Change: String, Codable, Hashable, Sendable { case added, removed, changed }

  /// What is done about it.
  package enum Action: String, Codable, Hashable, Sendable, CaseIterable {
    /// It holds from now on, and nothing else happens.
    case apply
    case start
    case relaunch
    /// Stopped, and forgotten.
    case stop
    case open
    /// Closed, then opened again: for that its services are stopped.
    case openAnew = "open_anew"
    case close
    /// The listener goes on under another name.
    case rename
    case nextStart = "next_start"
    /// A service that is not to be started, a socket that stays closed.
    case none
  }

  package init(kind: Kind, name: String, change: Change, keys: [String] = [], action: Action) {
    self.kind = kind
    self.name = name
    self.change = change
    self.keys = keys
    self.action = action
  }
}
