// Whether a file may decide what the daemon executes. Pure: it is told what fstat(2) said.

import Glibc

enum FileTrust {
  /// Why the file is refused, with the remedy; nil when it is accepted.
  ///
  /// Only root can be harmed by what other users write: for anybody else the permissions are his own affair.
  static func refusal(of path: String, _ status: stat, daemonUser: uid_t) -> String? {
    if let kind = irregularKind(status.st_mode) {
      return "cannot read \(path): it is \(kind), not a regular file"
    }
    guard daemonUser == 0 else { return nil }
    if status.st_uid != daemonUser {
      return
        "refusing to read \(path): it belongs to user \(status.st_uid), who could have root run anything; "
        + "run: chown root \(path)"
    }
    let foreignGroup = status.st_gid != 0 && status.st_mode & S_IWGRP != 0
    if foreignGroup || status.st_mode & S_IWOTH != 0 {
      let mode = "0" + String(status.st_mode & 0o7777, radix: 8)
      return "refusing to read \(path): others may write it (mode \(mode)); run: chmod go-w \(path)"
    }
    return nil
  }

  /// nil for a regular file, inode(7).
  private static func irregularKind(_ mode: mode_t) -> String? {
    switch mode & S_IFMT {
    case S_IFREG: nil
    case S_IFDIR: "a directory"
    case S_IFIFO: "a FIFO"
    case S_IFSOCK: "a socket"
    default: "a device"
    }
  }
}
