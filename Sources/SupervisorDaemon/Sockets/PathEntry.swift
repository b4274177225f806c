// The directory entry of a Unix socket: whether it is still ours, and whether a socket there is in use.

import CLinux
import Glibc
import Supervisor

/// A path and the inode it named when it was looked at.
package struct PathEntry: Hashable, Sendable, Codable {
  package let path: String
  package let device: UInt64
  package let inode: UInt64

  init(path: String, status: stat) {
    self.path = path
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
  }

  /// What the path names now, not following a symbolic link, lstat(2); ENOENT when there is nothing.
  static func status(of path: String) throws(SystemError) -> stat {
    var result = stat()
    _ = try retrying("examine", path) { lstat(path, &result) }
    return result
  }

  /// What a path may be found to be.
  enum State { case same, gone, replaced }

  /// What cannot be examined counts as replaced: then it is left alone.
  var state: State {
    do throws(SystemError) {
      return PathEntry(path: path, status: try Self.status(of: path)) == self ? .same : .replaced
    } catch {
      return error.code == ENOENT || error.code == ENOTDIR ? .gone : .replaced
    }
  }

  /// Removes the path if it still names this inode; else it is somebody else's and stays.
  ///
  /// Linux can't unlink by inode: whoever may write to the folder can slip another entry in between the look
  /// and the unlink, and could remove that entry itself just as well.
  func removeIfOurs() throws(SystemError) -> State {
    let state = self.state
    if state == .same { _ = try retrying("remove", path) { unlink(path) } }
    return state
  }
}

extension PathEntry {
  /// Whether somebody has the socket that a path names.
  enum Use: Equatable {
    case stale
    case inUse
    /// connect(2) failed with this errno, which proves neither.
    case unknown(Int32)
  }

  /// Asks the kernel, by connecting a datagram socket: for a socket of any other type that is bound there it
  /// says EPROTOTYPE, for a datagram socket it connects (EPERM if that one has another peer), and
  /// ECONNREFUSED if no socket of any kind is bound to the inode (unix_find_bsd() in net/unix/af_unix.c).
  ///
  /// A probe of the matching type would be wrong twice: a socket that is bound but not yet listening looks
  /// stale to it, and a living server would see a connection that nobody meant.
  static func use(of path: String) -> Use {
    let number = Glibc.socket(
      AF_UNIX, SocketType.datagram | SocketType.closeOnExec | SocketType.nonBlocking, 0)
    guard number >= 0 else { return .unknown(errno) }
    let probe = FileDescriptor(owning: number)
    let address = KernelAddress(.unix(.datagram, .path(path)))
    guard address.withPointer({ connect(probe.number, $0, $1) }) == -1 else { return .inUse }
    switch errno {
    case ECONNREFUSED: return .stale
    case EPROTOTYPE, EPERM, EAGAIN: return .inUse
    case let code: return .unknown(code)
    }
  }
}

extension stat {
  var isSocket: Bool { st_mode & S_IFMT == S_IFSOCK }

  /// For errors: "a regular file".
  var kindOfFile: String {
    switch st_mode & S_IFMT {
    case S_IFREG: "a regular file"
    case S_IFDIR: "a folder"
    case S_IFLNK: "a symbolic link"
    case S_IFIFO: "a FIFO"
    case S_IFCHR, S_IFBLK: "a device"
    case S_IFSOCK: "a socket"
    default: "no socket"
    }
  }
}
