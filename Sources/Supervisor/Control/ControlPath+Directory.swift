// The control sockets of directories: named by what the directory is, not by what it is called, so that neither
// symbolic links nor a rename lead elsewhere.

import Glibc

/// What a directory is, whatever it is called: stat(2).
package struct DirectoryIdentity: Hashable, Sendable {
  package var device: UInt64
  package var inode: UInt64

  package init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }

  package init(of path: String) throws(SystemError) {
    var status = stat()
    if stat(path, &status) == -1 { throw SystemError("examine", path) }
    self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  /// "fd01-2a0c3f": both in hexadecimal digits.
  package var name: String { String(device, radix: 16) + "-" + String(inode, radix: 16) }
}

/// A socket that the daemon of a directory has, or had.
package struct DirectoryControl: Hashable, Sendable {
  package var path: String
  /// How many directories above the current one it belongs to.
  package var level: Int
}

extension ControlPath {
  /// Where the daemon of a directory has its control socket.
  package static func ofDirectory(_ identity: DirectoryIdentity, in folder: RuntimeFolder) -> String {
    "\(folder.ofDirectories)/\(identity.name).sock"
  }

  /// The same for this user; for the daemon, which calls RuntimeFolder.create first.
  package static func ofDirectory(_ path: String = ".") throws(SystemError) -> String {
    ofDirectory(try DirectoryIdentity(of: path), in: RuntimeFolder())
  }

  /// More directories than this are not looked at; each costs two system calls.
  private static let deepest = 256

  /// The sockets of the current directory and of those above it, as far as they are there, nearest first.
  ///
  /// Whether somebody answers there, connecting tells: a daemon that was killed leaves its socket behind.
  /// early_call.c looks in the same places.
  package static func upwards(in folder: RuntimeFolder = RuntimeFolder()) -> [DirectoryControl] {
    guard access(folder.ofDirectories, F_OK) == 0, folder.objection == nil else { return [] }
    var found: [DirectoryControl] = []
    var below: DirectoryIdentity?
    var directory = "."
    for level in 0..<deepest {
      let identity: DirectoryIdentity
      do throws(SystemError) {
        identity = try DirectoryIdentity(of: directory)
      } catch { break }
      // The root is its own parent.
      if identity == below { break }
      let path = ofDirectory(identity, in: folder)
      if access(path, F_OK) == 0 { found.append(DirectoryControl(path: path, level: level)) }
      below = identity
      directory = level == 0 ? ".." : directory + "/.."
    }
    return found
  }
}

extension DirectoryControl {
  /// The directory's path, as the shell has it; nil when it has none any more.
  package var directory: String? {
    guard let current = getcwd(nil, 0) else { return nil }
    defer { free(current) }
    let names = String(cString: current).split(separator: "/").dropLast(level)
    return "/" + names.joined(separator: "/")
  }
}
