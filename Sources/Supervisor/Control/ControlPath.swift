// Where the control socket is when nobody says it.

import Glibc

package enum ControlPath {
  /// $FDSUPERVISORD_CONTROL, else /run/fdsupervisord/control.sock for root, else below $XDG_RUNTIME_DIR.
  ///
  /// nil when the last is needed and not set.
  package static func standard(uid: UInt32, environment: (String) -> String?) -> String? {
    if let chosen = environment("FDSUPERVISORD_CONTROL"), !chosen.isEmpty { return chosen }
    if uid == 0 { return "/run/fdsupervisord/control.sock" }
    guard let folder = environment("XDG_RUNTIME_DIR"), !folder.isEmpty else { return nil }
    return folder + "/fdsupervisord/control.sock"
  }

  /// The standard place for this process.
  package static func standard() -> String? {
    standard(uid: geteuid()) { name in getenv(name).map { String(cString: $0) } }
  }
}
