// The whole configuration, checked: every name that is used is defined, no address twice, no cycle.

package struct Configuration: Hashable, Sendable {
  package var daemon = DaemonDefinition()
  /// In the order of the files.
  package var sockets: [SocketDefinition] = []
  package var services: [ServiceDefinition] = []

  package init() {}
}

package struct DaemonDefinition: Hashable, Sendable {
  /// nil: the default place, which depends on who runs the daemon.
  package var control: String?
  package var controlGroup: String?
  package var logLevel = LogLevel.info
  /// nil: depends on who started the daemon.
  package var readiness: DaemonReadiness?

  package init() {}
}

/// What has to be there before the daemon says READY=1, sd_notify(3).
package enum DaemonReadiness: String, Hashable, Sendable, CaseIterable {
  /// All listeners.
  case sockets
  /// A result of the first attempt of each service that starts by itself.
  case services
}

/// The severities that the daemon's own log knows, with their numbers in syslog(3).
package enum LogLevel: Int32, Hashable, Sendable, CaseIterable, Comparable {
  case error = 3
  case warning = 4
  case notice = 5
  case info = 6
  case debug = 7

  package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}
