// What names of services and sockets are made of: they end up in LISTEN_FDNAMES, log lines, file names and globs.

package enum DefinitionName {
  /// In characters, all of which are ASCII.
  package static let longest = 64

  package static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "@", "-": true
    default: false
    }
  }
}
