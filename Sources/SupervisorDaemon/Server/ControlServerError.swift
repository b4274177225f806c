// Why the control socket could not be opened: what, where, and what to do.

import Supervisor

package enum ControlServerError: Error, Hashable {
  /// A daemon answers there; its pid, when the kernel tells.
  case alreadyRunning(path: String, pid: Int32?)
  /// Something that is no stream socket is at the path; it is left alone.
  case occupied(path: String)
  case pathTooLong(path: String)
  case noFolder(path: String, SystemError)
  case unknownGroup(String)
  case system(SystemError)
}

extension ControlServerError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .alreadyRunning(let path, let pid):
      "fdsupervisord is already running at \(path)\(pid.map { ", pid \($0)" } ?? "");"
        + " stop it, or choose another place with --control"
    case .occupied(let path):
      "cannot open the control socket \(path): there is a file that is no stream socket; remove it,"
        + " or choose another place with --control"
    case .pathTooLong(let path):
      "cannot open the control socket \(path.prefix(40))…: the path has \(path.utf8.count) bytes, "
        + "a Unix socket allows \(UnixStream.longestPath); choose a shorter one with --control"
    case .noFolder(let path, let error):
      "cannot open the control socket \(path): \(error); create its folder, or choose another place with --control"
    case .unknownGroup(let name):
      "cannot give the control socket to group \"\(name)\": there is no such group; create it or change control_group"
    case .system(let error): "cannot open the control socket: \(error)"
    }
  }
}
