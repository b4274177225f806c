// A service as it was read, with the places that later checks point at.

import Supervisor

struct ServiceDraft: Sendable {
  let name: Located<String>
  /// Everything that is checked by itself; the lists below are put into it by `finished`.
  var definition: ServiceDefinition
  var command: [Located<String>] = []
  var sockets: [Located<String>] = []
  var after: [Located<String>] = []
  var requires: [Located<String>] = []
  var ports: [Located<SocketAddress>] = []
  /// Absolute.
  var environmentFile: Located<String>?
  /// Of `environment`, then also those of the file.
  var environment: [Located<EnvironmentEntry>] = []
  var readinessSpan: SourceSpan?
  var passSpan: SourceSpan?
  var accepts = false
  var acceptSpan: SourceSpan?
  var connectionLimit: Int?
  var connectionLimitSpan: SourceSpan?
  /// nil: what the program that `pass` names takes for a wish to end with grace.
  var stopSignal: Int32?
  /// Its folder is known when the whole table was read.
  var watch: [Located<String>] = []
  var watchIgnore: [Located<String>] = []
  var watchDelay: Located<Duration>?

  init(name: Located<String>) {
    self.name = name
    self.definition = ServiceDefinition(name: name.value, command: [])
  }

  var place: String { "[service.\(escaped(name.value))]" }

  var finished: ServiceDefinition {
    var result = definition
    result.command = command.map(\.value)
    result.sockets = sockets.map(\.value)
    result.after = after.map(\.value)
    result.requires = requires.map(\.value)
    result.ports = ports.map(\.value)
    result.environment = mergedEnvironment
    if accepts {
      var accept = AcceptDefinition()
      if let connectionLimit { accept.limit = connectionLimit }
      result.accept = accept
      // Who accepts has the listeners, and tells nobody of them.
      result.pass = .none
    }
    if let signal = stopSignal ?? result.pass.stopSignal { result.stopSignal = signal }
    result.watch = watchDefinition
    return result
  }

  /// Relative to `directory`, where the program runs, or to the folder of the configuration.
  private var watchDefinition: WatchDefinition? {
    guard let first = watch.first else { return nil }
    return WatchDefinition(
      folder: definition.directory ?? first.span.file.folder, patterns: watch.map(\.value),
      ignored: watchIgnore.map(\.value), delay: watchDelay?.value ?? WatchDefinition.standardDelay)
  }

  /// Each name once: a later entry replaces the value of an earlier one.
  private var mergedEnvironment: [EnvironmentEntry] {
    var result: [EnvironmentEntry] = []
    var indices: [String: Int] = [:]
    for entry in environment.map(\.value) {
      if let index = indices[entry.name] {
        result[index] = entry
      } else {
        indices[entry.name] = result.count
        result.append(entry)
      }
    }
    return result
  }
}
