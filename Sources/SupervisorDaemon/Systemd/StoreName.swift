// Under which names listeners lie in the service manager's descriptor store (FDNAME, sd_notify(3)). Pure.

/// The name of one listener in the store: `own.INODE.SOCKET`, as `own.48213.web`.
///
/// The inode in sockfs makes it unique, so that FDSTOREREMOVE=1 takes out just this one; and it is the proof that a
/// descriptor which comes back under the name is ours: a `.socket` unit may call its sockets what it likes, but not by
/// their inodes. SOCKET is the name that the configuration had for it at the time; it may be renamed since.
package struct StoreName: Hashable, Sendable, Codable {
  package var socket: String
  package var inode: UInt64

  private static let prefix = "own."

  package init(socket: String, inode: UInt64) {
    self.socket = socket
    self.inode = inode
  }

  /// Reads a name of LISTEN_FDNAMES; nil when it is no such name, or another descriptor's.
  package init?(_ text: String, inode: UInt64) {
    let rest = text.dropFirst(Self.prefix.count)
    guard text.hasPrefix(Self.prefix), let dot = rest.firstIndex(of: "."), rest[..<dot] == "\(inode)" else {
      return nil
    }
    self.init(socket: String(rest[rest.index(after: dot)...]), inode: inode)
    if socket.isEmpty { return nil }
  }

  package var text: String { "\(Self.prefix)\(inode).\(socket)" }

  /// Puts a descriptor into the store, which is to keep it whatever poll(2) says of it: a service may shut it down.
  package var putting: String { "FDSTORE=1\nFDNAME=\(text)\nFDPOLL=0" }

  package var removing: String { "FDSTOREREMOVE=1\nFDNAME=\(text)" }
}
