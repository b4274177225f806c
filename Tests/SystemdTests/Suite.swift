// The suite: one box for all of its tests, which run one after another.

import Supervisor
import Testing

/// The tests under a real systemd; its parts are extensions in files of their own.
@Suite(
  "Under systemd", .serialized, .timeLimit(.minutes(5)),
  .enabled(if: Box.obstacle == nil, Comment(rawValue: "skipped: " + (Box.obstacle ?? "")))
)
struct UnderSystemd {}

extension Box {
  private static let booted = Result { try withInstallation() }

  /// The one that the tests share, with the programs and units where an installation puts them.
  static var shared: Box { get throws { try booted.get() } }

  private static func withInstallation() throws -> Box {
    let box = try Box()
    try box.run("env", "PREFIX=/usr", "\(sources)/scripts/install", "--binaries", programs)
    return box
  }
}

/// Parts of a configuration.
enum Sample {
  /// A service that answers each connection with its pid, and lives as long as it is let.
  static func service(_ name: String = "app", sockets: String = "\"web\"", more: String = "") -> String {
    """
    [service.\(name)]
    command = ["\(Box.service)", "patient", "serve"]
    sockets = [\(sockets)]
    \(more)

    """
  }

  static func socket(_ name: String = "web", _ listen: String) -> String {
    "[socket.\(name)]\nlisten = \(listen)\n\n"
  }

  /// An address that no other test has.
  static func address() -> String {
    let part = { Int.random(in: 1...254) }
    return "127.\(part()).\(part()).\(part()):\(Int.random(in: 10_000...29_999))"
  }
}
