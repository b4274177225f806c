// A `[socket.NAME]` of the configuration.

/// A named socket that the daemon opens and owns.
package struct SocketDefinition: Hashable, Sendable {
  package var name: String
  /// At least one; each becomes a listener of its own, handed over in this order under the one name.
  package var addresses: [SocketAddress]
  package var options = SocketOptions()
  /// A program of a service that discovers its sockets listened on it first; it is handed over at bind(2) only.
  package var isDiscovered = false

  package init(name: String, addresses: [SocketAddress], options: SocketOptions = SocketOptions()) {
    self.name = name
    self.addresses = addresses
    self.options = options
  }
}

/// The options of a socket; nil leaves the kernel's default.
///
/// Sources: socket(7), ip(7), ipv6(7), tcp(7), unix(7).
package struct SocketOptions: Hashable, Sendable {
  /// The accept queue's length, listen(2); the kernel caps it at net.core.somaxconn.
  package var backlog = 4096
  /// Unix paths only: permission bits of the socket file, from birth.
  package var mode: UInt32?
  /// Unix paths only: the owner, a name or a number.
  package var user: String?
  package var group: String?
  package var reusePort = false
  /// nil: dual stack for [::], the kernel's default else.
  package var v6Only: Bool?
  package var bindToDevice: String?
  package var freeBind = false
  package var transparent = false
  /// TCP_DEFER_ACCEPT, in whole seconds.
  package var deferAccept: Duration?
  /// TCP_FASTOPEN: the length of its queue.
  package var fastOpen: Int?
  package var keepAlive: Bool?
  package var noDelay: Bool?
  /// SO_RCVBUF and SO_SNDBUF, in bytes.
  package var receiveBuffer: Int?
  package var sendBuffer: Int?
  /// SO_MARK.
  package var mark: UInt32?

  package init() {}
}
