// The keys of [daemon].

import Supervisor

enum DaemonKeys {
  static let table = KeyTable<DaemonDefinition>([
    Key("control", \.control, controlPath),
    Key("control_group", \.controlGroup, .account),
    Key("log_level", \.logLevel, .logLevel),
    Key("ready", \.readiness, .daemonReadiness),
  ])

  /// A path: an abstract name can be reached by all who share the network namespace (unix(7)).
  private static let controlPath = Decoding.path.then { path, node, diagnostics -> String? in
    let limit = SocketAddress.longestUnixPath
    if path.utf8.count <= limit { return path }
    diagnostics.error("the path has \(path.utf8.count) bytes, a Unix socket allows \(limit)", at: node.span)
    return nil
  }
}

extension Decoding where Value == DaemonReadiness {
  static let daemonReadiness = choice(of: DaemonReadiness.self)
}

extension Decoding where Value == String {
  /// A path; a relative one is resolved against the folder of the file that names it.
  static let path = nonEmptyString.then { path, node, _ in node.span.file.resolve(path) }
}
