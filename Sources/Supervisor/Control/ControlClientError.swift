// Why a call could not be made, or came back without what was asked for.

package enum ControlClientError: Error, Hashable {
  /// Nobody answers at that path.
  case noDaemon(path: String, code: Int32)
  /// Somebody may be there, but this process can't get to it.
  case unreachable(SystemError)
  /// The daemon said no: the error's name without its interface, and its message.
  case refused(name: String, message: String)
  /// The daemon went away in the middle of a call.
  case lost(path: String)
  /// What came back is no reply to this call.
  case malformed(WireError)
  /// The call itself is longer than the daemon would take, in bytes.
  case callTooLong(bytes: Int)
}

extension ControlClientError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .noDaemon(let path, let code):
      "no daemon at \(path): \(SystemError.text(code)); start it with \"fdsupervisord\", "
        + "or say where it is with --control PATH"
    case .unreachable(let error): error.description + Self.remedy(for: error)
    case .refused(_, let message): message
    case .lost(let path):
      "the daemon at \(path) went away before it answered; what was asked for may be done or not: see its log"
    case .malformed(let error): "cannot understand the daemon's answer: \(error); is it the same version?"
    case .callTooLong(let bytes):
      "cannot send a call of \(bytes) bytes: the daemon takes \(Wire.longestCall); name fewer services, or say --all"
    }
  }

  private static func remedy(for error: SystemError) -> String {
    switch error.code {
    case 13: "; only root, the daemon's own user, and those of its control_group may use it"  // EACCES
    case 36: "; a Unix socket allows \(UnixStream.longestPath) bytes"  // ENAMETOOLONG
    default: ""
    }
  }
}
