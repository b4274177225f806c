// The folder for what lives as long as a daemon of this user does: the control sockets of directories.

import Glibc

/// Where the daemons of directories have their control sockets: nobody else can put anything there.
package struct RuntimeFolder: Hashable, Sendable {
  package let path: String
  private let owner: UInt32
  /// Below /tmp anybody may have been there first.
  private let isSuspect: Bool

  /// The folder of this process's user.
  package init() {
    self.init(uid: geteuid(), environment: environmentValue) { Self.owner(ofFolder: $0) }
  }

  /// /run/fdsupervisord for root, else below $XDG_RUNTIME_DIR, else /tmp/fdsupervisord-UID.
  ///
  /// An $XDG_RUNTIME_DIR of somebody else, as su(1) and sudo(8) may leave it behind, does not count.
  package init(uid: UInt32, environment: (String) -> String?, ownerOfFolder: (String) -> UInt32?) {
    owner = uid
    if uid == 0 {
      path = "/run/fdsupervisord"
      isSuspect = false
    } else if let given = environment("XDG_RUNTIME_DIR"), given.hasPrefix("/"), ownerOfFolder(given) == uid {
      path = given + "/fdsupervisord"
      isSuspect = false
    } else {
      path = "/tmp/fdsupervisord-\(uid)"
      isSuspect = true
    }
  }

  /// Where the sockets of directories are.
  package var ofDirectories: String { path + "/run" }

  /// Why the folder must not be used, as it is now; nil when it may, or is not there.
  package var objection: String? {
    guard isSuspect else { return nil }
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    if status.st_mode & S_IFMT != S_IFDIR { return "\(path) is no folder; remove it" }
    if status.st_uid != owner {
      return "\(path) belongs to user \(UserNames.read().name(of: status.st_uid)); set XDG_RUNTIME_DIR to a "
        + "folder of your own"
    }
    if status.st_mode & 0o077 != 0 { return "\(path) is open to others; chmod 700 it, or remove it" }
    return nil
  }

  /// Makes the folder, and that for the sockets in it, for this user alone.
  package func create() throws(RuntimeFolderError) {
    for folder in [path, ofDirectories] {
      if mkdir(folder, folder == path && owner == 0 ? 0o755 : 0o700) == -1, errno != EEXIST {
        throw RuntimeFolderError(description: SystemError("create folder", folder).description)
      }
      if let objection { throw RuntimeFolderError(description: objection) }
    }
  }

  private static func owner(ofFolder path: String) -> UInt32? {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR ? status.st_uid : nil
  }
}

/// Why there can't be a folder, as one line.
package struct RuntimeFolderError: Error, Hashable, CustomStringConvertible {
  package let description: String
}
