// Where the keepers of a dead daemon are found: one listening socket each, in a folder beside the control socket.

import CLinux
import Glibc
import Supervisor

/// The folder of the keepers' doors.
///
/// Nobody but its owner may enter it, and a keeper lets nobody else in (SO_PEERCRED, unix(7)).
package final class KeeperFolder {
  package let path: String
  private let folder: FileDescriptor

  private static let ownerOnly: mode_t = 0o700
  private static let backlog: CInt = 8

  /// Makes it when it is not there.
  ///
  /// Whoever has the control socket beside it is alone here.
  package init(path: String) throws(SystemError) {
    self.path = path
    if mkdir(path, Self.ownerOnly) == -1, errno != EEXIST { throw SystemError("create folder", path) }
    folder = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    let status = try folder.status()
    guard status.st_uid == geteuid() else {
      throw SystemError("use the folder of somebody else,", path, code: EPERM)
    }
    let number = folder.number
    if status.st_mode & 0o7777 != Self.ownerOnly {
      _ = try retrying("set the mode of", path) { fchmod(number, Self.ownerOnly) }
    }
  }

  /// The name of a keeper's door.
  package static func name(service: String, generation: Int) -> String { "\(service).\(generation)" }

  /// What a name tells, when its keeper says nothing.
  package static func parse(_ name: String) -> (service: String, generation: Int)? {
    guard let dot = name.lastIndex(of: "."), let generation = Int(name[name.index(after: dot)...]),
      generation > 0
    else {
      return nil
    }
    return (String(name[..<dot]), generation)
  }

  /// A door for a keeper: bound, listening, and never blocking.
  func open(_ name: String) throws(SystemError) -> FileDescriptor {
    let door = try Self.socket()
    let number = door.number
    func bind() throws(SystemError) -> CInt {
      try UnixStream.withAddress(of: address(of: name)) { Glibc.bind(number, $0, $1) == -1 ? errno : 0 }
    }
    var code = try bind()
    if code == EADDRINUSE {  // of a keeper that was killed
      remove(name)
      code = try bind()
    }
    if code != 0 { throw SystemError("bind", "\(path)/\(name)", code: code) }
    if listen(number, Self.backlog) == -1 { throw SystemError("listen on", "\(path)/\(name)") }
    return door
  }

  func remove(_ name: String) { unlinkat(folder.number, name, 0) }

  /// Removes the folder itself, when nobody needs it any more.
  package func removeIfEmpty() { rmdir(path) }

  /// The names of the sockets that are in it.
  package func doors() throws(SystemError) -> [String] {
    guard let listing = opendir(path) else { throw SystemError("read folder", path) }
    defer { closedir(listing) }
    var names: [String] = []
    while let entry = readdir(listing) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      var status = stat()
      if fstatat(folder.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFSOCK
      {
        names.append(name)
      }
    }
    return names.sorted()
  }

  /// A connection to a keeper; ECONNREFUSED when it is gone.
  func connect(to name: String) throws(SystemError) -> FileDescriptor {
    let connection = try Self.socket()
    var on: CInt = 1
    // Before the keeper says anything: its first message comes with its pid, for which the kernel vouches (unix(7)).
    if setsockopt(connection.number, SOL_SOCKET, SO_PASSCRED, &on, socklen_t(MemoryLayout<CInt>.size)) == -1 {
      throw SystemError("set SO_PASSCRED on", name)
    }
    try UnixStream.connect(connection, to: address(of: name))
    return connection
  }

  private static func socket() throws(SystemError) -> FileDescriptor {
    let flags = SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    return FileDescriptor(owning: try retrying("create a socket") { Glibc.socket(AF_UNIX, CInt(flags), 0) })
  }

  /// By its descriptor where the path is too long for an address.
  private func address(of name: String) -> String {
    let full = "\(path)/\(name)"
    return full.utf8.count <= UnixStream.longestPath ? full : "/proc/self/fd/\(folder.number)/\(name)"
  }
}
