// Who may use the control socket, beside what its file mode says.

/// Root, the daemon's own user, and, where the socket belongs to a group, everybody whom the file mode let in.
struct ControlAdmission {
  var ownUID: UInt32
  var isForGroup: Bool

  /// `uid`: SO_PEERCRED of the client, unix(7).
  func allows(_ uid: UInt32) -> Bool { uid == 0 || uid == ownUID || isForGroup }
}
