// Where the text of a configuration comes from: the disk, which is remembered, or what another process had read.

import Glibc
import Supervisor

/// The files of one configuration, and what its patterns matched.
///
/// A daemon that is replaced hands them over: the next one must not see what was changed on the disk since, for
/// that is what a reload is for.
package final class ConfigurationSources {
  private let origin: Origin
  /// What was read so far.
  package private(set) var snapshot: Snapshot

  private enum Origin { case disk, snapshot }

  /// Everything that was read, as it was.
  package struct Snapshot: Hashable, Sendable, Codable {
    var files: [String: File] = [:]
    var matches: [String: [String]] = [:]
    /// What relative paths were relative to.
    var currentFolder: String

    struct File: Hashable, Sendable, Codable {
      var bytes: ExactBytes
      var device: UInt64
      var inode: UInt64
    }
  }

  /// Reads from the disk.
  package init() {
    origin = .disk
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    // A working directory that was removed leaves relative paths relative to it.
    snapshot = Snapshot(currentFolder: getcwd(&buffer, buffer.count).map { String(cString: $0) } ?? ".")
  }

  /// Reads what another process had read.
  package init(replaying snapshot: Snapshot) {
    origin = .snapshot
    self.snapshot = snapshot
  }

  func read(_ path: String) throws(UnreadableFile) -> (bytes: [UInt8], identity: FileIdentity) {
    switch origin {
    case .disk:
      let (bytes, identity) = try SourceReader.read(path)
      snapshot.files[path] = .init(
        bytes: ExactBytes(bytes), device: UInt64(identity.device), inode: UInt64(identity.inode))
      return (bytes, identity)
    case .snapshot:
      guard let file = snapshot.files[path] else {
        throw UnreadableFile("cannot read \(escaped(path)): the daemon before this one did not read it")
      }
      return (file.bytes.bytes, FileIdentity(device: dev_t(file.device), inode: ino_t(file.inode)))
    }
  }

  /// The paths that match, in name order, glob(3).
  func paths(matching pattern: String) -> [String] {
    if origin == .disk { snapshot.matches[pattern] = Self.glob(pattern) }
    return snapshot.matches[pattern] ?? []
  }

  /// Without the slash at the end, unless it is the root.
  func absolute(_ folder: String) -> String {
    var path = folder
    if !path.hasPrefix("/") {
      let current = snapshot.currentFolder
      path = current == "/" ? "/" + folder : current + "/" + folder
    }
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  private static func glob(_ pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard Glibc.glob(pattern, 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { index in
      found.gl_pathv[index].map { String(cString: $0) }
    }
  }
}
