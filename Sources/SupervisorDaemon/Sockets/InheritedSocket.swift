// One descriptor of LISTEN_FDS that proved to be a listening socket.

import Glibc
import Supervisor

/// A socket that came with the start of the daemon; closed unless somebody takes it.
package final class InheritedSocket {
  package let identity: Identity
  private var descriptor: FileDescriptor?

  /// What tells it from others.
  package struct Identity: Hashable, Sendable {
    /// The number it came as, for the log.
    package var number: Int32
    /// From LISTEN_FDNAMES; without what the descriptor store needs around it.
    package var name: String?
    /// Under which the descriptor store has it; nil for what did not come from there.
    package var storeName: StoreName?
    package var address: SocketAddress
    /// Who had it: decides whom it belongs to from here on.
    package var provenance = Provenance.manager
    /// The inode in sockfs: two descriptors of one socket have one.
    package var inode: UInt64 = 0

    package init(number: Int32, name: String?, address: SocketAddress) {
      self.number = number
      self.name = name
      self.address = address
    }
  }

  package enum Provenance: String, Hashable, Sendable {
    /// Whoever started the daemon opened it (a `.socket` unit): it is his, path and all.
    case manager
    /// A daemon before this one opened it and left it in the service manager's descriptor store.
    case store
    /// A daemon before this one opened it, and a surviving keeper held it.
    case keeper
    /// A program of ours bound it.
    case program
  }

  private init(owning descriptor: consuming FileDescriptor, _ identity: Identity) {
    self.identity = identity
    self.descriptor = consume descriptor
  }

  enum Examination {
    case socket(InheritedSocket)
    case notOpen
    /// Why.
    case unusable(String)
  }

  /// Looks at a descriptor and takes it over if it is a socket.
  ///
  /// Anything else stays as it is: who knows whose it is.
  static func examine(
    _ number: CInt, name: String?, provenance: Provenance = .manager
  ) -> Examination {
    let label = "inherited descriptor \(number)" + (name.map { " \"\(ProcessTable.printable($0))\"" } ?? "")
    var status = stat()
    guard fstat(number, &status) == 0 else { return .notOpen }
    guard status.isSocket else { return .unusable("\(label) is \(status.kindOfFile), no socket; ignored") }
    let descriptor = FileDescriptor(owning: number)
    guard let address = address(of: descriptor) else {
      return .unusable("\(label) is no TCP, UDP or named Unix socket; closed")
    }
    // Bound, not yet listening is fine: listen(2) follows.
    if address.accepts, KernelAddress.hasPeer(number) {
      return .unusable("\(label) is a connection, not a listening socket (Accept=no is needed); closed")
    }
    var identity = Identity(number: number, name: name, address: address)
    identity.provenance = provenance
    identity.inode = UInt64(status.st_ino)
    if provenance == .manager, let stored = name.flatMap({ StoreName($0, inode: identity.inode) }) {
      identity.name = stored.socket
      identity.storeName = stored
      identity.provenance = .store
    }
    return .socket(InheritedSocket(owning: descriptor, identity))
  }

  /// Another descriptor of it; this one stays until `close()`, for an attempt that fails.
  func duplicate() throws(SystemError) -> FileDescriptor? {
    switch descriptor {
    case .some(let descriptor): try descriptor.duplicate()
    case .none: nil
    }
  }

  func close() { descriptor = nil }

  private static func address(of descriptor: borrowing FileDescriptor) -> SocketAddress? {
    guard let type = KernelOption.read(descriptor.number, SOL_SOCKET, SO_TYPE),
      let protocolNumber = KernelOption.read(descriptor.number, SOL_SOCKET, SO_PROTOCOL)
    else { return nil }
    do throws(SystemError) {
      return try KernelAddress(of: descriptor.number).decoded(type: type, protocolNumber: protocolNumber)
    } catch {
      return nil
    }
  }
}
