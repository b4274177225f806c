// The listening socket of the control protocol and its place in the file system: opened without taking it from
// anybody, closed to others from birth, removed only while it is ours. Knows no protocol.

import CLinux
import Glibc
import Supervisor

/// A listening Unix socket; its path goes with `remove()` or with this object.
package final class ControlSocket: Sendable {
  package let path: String
  package let descriptor: FileDescriptor
  private let device: dev_t
  private let inode: ino_t

  private static let backlog: CInt = 1024
  private static let ownerOnly: mode_t = 0o600
  private static let ownerAndGroup: mode_t = 0o660

  /// Opens it with mode 0600, or 0660 and that group.
  ///
  /// `runtimeFolders`: a missing folder is created when it lies directly in one of these.
  package init(
    path: String, group: String?, runtimeFolders: [String] = ControlSocket.runtimeFolders
  ) throws(ControlServerError) {
    if path.utf8.count > UnixStream.longestPath { throw .pathTooLong(path: path) }
    let gid = try Self.groupNumber(group)
    let folder = try Self.openFolder(of: path, runtimeFolders: runtimeFolders)
    do throws(SystemError) {
      try Self.lock(folder)
      descriptor = try UnixStream.make(.nonBlocking)
    } catch { throw .system(error) }
    try Self.clear(path)
    do throws(SystemError) {
      let status = try Self.bind(descriptor, path, gid)
      (self.path, device, inode) = (path, status.st_dev, status.st_ino)
      // Still under the lock: between bind and listen the path looks stale to others.
      try Self.listen(descriptor, path)
    } catch { throw .system(error) }
  }

  /// Goes on with the socket that another process handed over: it never stopped listening.
  package init(restoring snapshot: Snapshot) {
    path = snapshot.path
    descriptor = FileDescriptor(owning: snapshot.descriptor)
    (device, inode) = (dev_t(snapshot.device), ino_t(snapshot.inode))
  }

  package struct Snapshot: Hashable, Sendable, Codable {
    package var path: String
    package var descriptor: CInt
    var device: UInt64
    var inode: UInt64
  }

  package var snapshot: Snapshot {
    Snapshot(path: path, descriptor: descriptor.number, device: UInt64(device), inode: UInt64(inode))
  }

  deinit { remove() }

  /// Removes the path if what is there still is this socket.
  package func remove() {
    guard let now = Self.status(of: path), now.st_dev == device, now.st_ino == inode else { return }
    unlink(path)
  }

  /// /run, and $XDG_RUNTIME_DIR when it is set.
  package static var runtimeFolders: [String] {
    ["/run"] + (getenv("XDG_RUNTIME_DIR").map { [String(cString: $0)] } ?? [])
  }
}

extension ControlSocket {
  private static func groupNumber(_ name: String?) throws(ControlServerError) -> gid_t? {
    guard let name else { return nil }
    guard let entry = getgrnam(name) else { throw .unknownGroup(name) }
    return entry.pointee.gr_gid
  }

  private static func openFolder(
    of path: String, runtimeFolders: [String]
  ) throws(ControlServerError) -> FileDescriptor {
    let folder = parent(of: path)
    do throws(SystemError) {
      return try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY)
    } catch {
      guard error.code == ENOENT, runtimeFolders.contains(where: { parent(of: folder) == trimmed($0) }) else {
        throw .noFolder(path: path, error)
      }
    }
    do throws(SystemError) {
      // Another starter may have made it meanwhile.
      if mkdir(folder, 0o755) == -1, errno != EEXIST { throw SystemError("create folder", folder) }
      return try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY)
    } catch { throw .noFolder(path: path, error) }
  }

  private static func parent(of path: String) -> String {
    let path = trimmed(path)
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : trimmed(String(path[..<slash]))
  }

  private static func trimmed(_ path: String) -> String {
    var path = path[...]
    while path.count > 1, path.last == "/" { path.removeLast() }
    return String(path)
  }

  /// Keeps two starters from replacing each other's path: whoever looks, binds and listens
  /// holds flock(2) of the folder.
  ///
  /// Nobody needs it for longer than some system calls. A lock that lasts is a stranger's (the folder may be
  /// readable to all), and must not keep the daemon from starting: then it goes on without.
  private static func lock(_ folder: borrowing FileDescriptor) throws(SystemError) {
    let number = folder.number
    for _ in 0..<200 {
      if flock(number, LOCK_EX | LOCK_NB) == 0 { return }
      if errno != EWOULDBLOCK && errno != EINTR { throw SystemError("lock the folder of the control socket") }
      Clock.pause(.milliseconds(5))
    }
  }

  /// Makes sure that nothing is at the path: a socket that nobody listens on is removed, everything else is refused.
  private static func clear(_ path: String) throws(ControlServerError) {
    guard let status = status(of: path) else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .occupied(path: path) }
    switch try occupant(of: path) {
    case .nobody:
      if unlink(path) == -1, errno != ENOENT { throw .system(SystemError("remove the stale socket", path)) }
    case .listener(let pid): throw .alreadyRunning(path: path, pid: pid)
    case .stranger: throw .occupied(path: path)
    }
  }

  /// Who is behind a socket of the file system.
  private enum Occupant {
    case nobody
    /// Its pid, when the kernel tells.
    case listener(Int32?)
    /// A socket of another type.
    case stranger
  }

  /// Finds out by connecting: only ECONNREFUSED proves that nobody listens (unix(7)).
  private static func occupant(of path: String) throws(ControlServerError) -> Occupant {
    do throws(SystemError) {
      let probe = try UnixStream.make(.nonBlocking)
      try UnixStream.connect(probe, to: path)
      return .listener(try UnixStream.peer(of: probe).pid)
    } catch {
      switch error.code {
      case ECONNREFUSED, ENOENT: return .nobody
      // The backlog is full, so somebody listens.
      case EAGAIN: return .listener(nil)
      case EPROTOTYPE: return .stranger
      default: throw .system(error)
      }
    }
  }

  private static func bind(
    _ socket: borrowing FileDescriptor, _ path: String, _ group: gid_t?
  ) throws(SystemError) -> stat {
    let number = socket.number
    // The path is born with the mode of the socket's own inode, less the umask: net/unix/af_unix.c unix_bind_bsd().
    _ = try retrying("set the mode of a socket") { fchmod(number, ownerOnly) }
    let code = try UnixStream.withAddress(of: path) { address, length in
      Glibc.bind(number, address, length) == -1 ? errno : 0
    }
    if code != 0 { throw SystemError("bind", path, code: code) }
    guard let born = status(of: path) else { throw SystemError("examine", path) }
    // The group first, while nobody but the owner is let in.
    if let group, lchown(path, uid_t.max, group) == -1 {
      throw SystemError("give the control socket's group", path)
    }
    let wanted = group == nil ? ownerOnly : ownerAndGroup
    if born.st_mode & 0o777 != wanted, fchmodat(AT_FDCWD, path, wanted, CInt(AT_SYMLINK_NOFOLLOW)) == -1 {
      throw SystemError("set the mode of", path)
    }
    return born
  }

  private static func listen(_ socket: borrowing FileDescriptor, _ path: String) throws(SystemError) {
    let number = socket.number
    if Glibc.listen(number, backlog) == -1 { throw SystemError("listen on", path) }
  }

  /// lstat(2); nil when there is nothing.
  private static func status(of path: String) -> stat? {
    var status = stat()
    return lstat(path, &status) == 0 ? status : nil
  }
}
