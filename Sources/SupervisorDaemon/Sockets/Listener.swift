// The owner of one listening socket. Opening is SocketOpening's, repairing ListenerIntegrity's.

import CLinux
import Glibc
import Supervisor

/// An open socket of the configuration: one address of one `[socket.NAME]`.
///
/// Losing it by accident is what the daemon exists to prevent, so it is closed by `close(_:)` and nothing
/// else.
package final class Listener {
  /// The name in the configuration.
  package var socket: String { opening.socket }
  /// Where it really listens: differs from the configuration only for port 0.
  package var address: SocketAddress { opening.address }
  package var options: SocketOptions { opening.options }
  package private(set) var origin: Origin
  /// The inode in sockfs: what /proc/PID/fd and sock_diag(7) show.
  ///
  /// Changes when a repair has to open anew.
  package private(set) var inode: UInt64
  /// What the log should say of its opening.
  package private(set) var remarks: [String]
  /// Unix paths only: the path's inode, to tell whether it is still ours.
  package private(set) var entry: PathEntry?

  /// With the port that the kernel chose, so that a repair gets the same one.
  private(set) var opening: SocketOpening
  private var descriptor: FileDescriptor?
  /// Where the descriptor store has it, and how it is taken out; nil when it is not there.
  private var stored: (name: StoreName, leave: (StoreName, Departure) -> Void)?
  /// `close(_:)` was called: nothing is to be repaired.
  private(set) var isClosed = false
  /// Its address is not free yet: `openNow()` is called when it is, and until then there is nothing to repair.
  private(set) var isWaiting = false

  package enum Origin: String, Sendable, Codable {
    /// By the daemon, or by one before it that left it to us.
    case opened
    /// By whoever started the daemon, sd_listen_fds(3): that process usually holds it, too, and owns its
    /// path.
    case inherited
  }

  /// What becomes of the path of a Unix socket.
  package enum PathFate {
    /// Removed if it is still ours and the daemon made it.
    case removingPath
    case keepingPath
    /// It goes on in the descriptor store, with its path, until the next daemon takes it over; what is not there is
    /// closed for good.
    case handedOn
  }

  /// How a socket leaves the descriptor store.
  enum Departure {
    /// Its address is needed, and is free only when the store has closed it, too.
    case addressNeeded
    case atLeisure
  }

  init(_ opened: consuming OpenedSocket, opening: SocketOpening) {
    self.opening = opening.at(opened.address)
    origin = .opened
    entry = opened.entry
    remarks = opened.remarks
    inode = Self.inode(of: opened.descriptor)
    descriptor = consume opened.descriptor
  }

  /// Takes over a bound socket: makes it listen, and gives it the options that can still be given.
  init(
    adopting inherited: consuming FileDescriptor, from provenance: InheritedSocket.Provenance,
    opening: SocketOpening
  ) throws(SocketError) {
    self.opening = opening
    origin = provenance == .manager ? .inherited : .opened
    inode = Self.inode(of: inherited)
    if let path = opening.address.path {
      do throws(SystemError) {
        entry = PathEntry(path: path, status: try PathEntry.status(of: path))
      } catch {
        entry = nil  // gone already: inspect() says so
      }
    }
    remarks = opening.applyToBound(inherited.number)
    if opening.address.accepts { try opening.listen(on: inherited.number) }
    descriptor = consume inherited
  }

  /// One that has to wait for its address: `openNow()` opens it, or, when that fails, a later repair.
  init(waitingFor opening: SocketOpening) {
    isWaiting = true
    self.opening = opening
    origin = .opened
    inode = 0
    remarks = []
  }

  /// Goes on with what another process handed over.
  init(restoring snapshot: Snapshot, options: SocketOptions) {
    opening = SocketOpening(socket: snapshot.socket, address: snapshot.address, options: options)
    origin = snapshot.origin
    entry = snapshot.entry
    inode = snapshot.inode
    remarks = []
    descriptor = snapshot.descriptor.map { FileDescriptor(owning: $0) }
    // How it leaves the store, says whoever keeps the listeners there.
    stored = snapshot.storeName.map { ($0, { _, _ in }) }
  }

  /// One listener at one moment, with the number of its descriptor; without one it was lost.
  package struct Snapshot: Hashable, Sendable, Codable {
    package var socket: String
    package var address: SocketAddress
    package var origin: Origin
    package var inode: UInt64
    package var entry: PathEntry?
    package var descriptor: CInt?
    package var storeName: StoreName?
  }

  package var snapshot: Snapshot {
    Snapshot(
      socket: socket, address: address, origin: origin, inode: inode, entry: entry,
      descriptor: isOpen ? number : nil, storeName: storeName)
  }

  deinit {
    if isOpen { assertionFailure("\(opening.named) was lost instead of closed") }
  }

  /// False after `close(_:)`, and after a repair that failed half-way.
  package var isOpen: Bool { number >= 0 }

  /// The descriptor, to hand it over or to watch it; -1 when it is not open.
  ///
  /// A repair may change it: ask each time.
  package var number: CInt {
    switch descriptor {
    case .some(let descriptor): descriptor.number
    case .none: -1
    }
  }

  /// Closes it, and returns what the log should say.
  package func close(_ fate: PathFate = .removingPath) -> [String] {
    isClosed = true
    descriptor = nil
    let entry = self.entry
    self.entry = nil
    if fate == .handedOn, stored != nil { return [] }
    leaveStore(.addressNeeded)
    guard let entry, fate != .keepingPath, origin == .opened else { return [] }
    do throws(SystemError) {
      guard try entry.removeIfOurs() == .replaced else { return [] }
      return ["\(opening.named) left \(entry.path) alone: somebody replaced it"]
    } catch {
      return [error.description]
    }
  }

  /// Opens one that waited for its address; returns what the log should say.
  func openNow() -> [String] {
    if isOpen || isClosed { return [] }
    isWaiting = false
    do throws(SocketError) {
      move(to: try opening.open())
      return ["\(opening.named) is open"]
    } catch {
      return ["\(error); it is tried again at each launch"]
    }
  }

  /// Makes it listen, and sets the length of its queue anew; returns why that failed.
  func listen() -> String? {
    do throws(SocketError) {
      try opening.listen(on: number)
      return nil
    } catch {
      return error.description
    }
  }

  /// Goes on under another name, with other options; returns what the log should say.
  func change(to definition: SocketDefinition) -> [String] {
    let before = opening.options
    opening = SocketOpening(socket: definition.name, address: address, options: definition.options)
    if before == definition.options || !isOpen { return [] }
    var said = opening.applyToBound(number)
    do throws(SocketError) {
      if address.accepts { try opening.listen(on: number) }
    } catch {
      said.append(error.description)
    }
    return said
  }

  /// Goes on with another socket in place of this one, which is closed.
  func move(to opened: consuming OpenedSocket) {
    leaveStore(.atLeisure)
    origin = .opened
    entry = opened.entry
    inode = Self.inode(of: opened.descriptor)
    descriptor = consume opened.descriptor
  }

  /// Lets go of the socket, because its address is needed for the next one.
  func loseDescriptor() {
    leaveStore(.addressNeeded)
    descriptor = nil
  }

  /// Under which name the descriptor store has it; nil when it has not.
  package var storeName: StoreName? { stored?.name }

  /// Remembers that the descriptor store has it: `leave` is called when this socket is not to come back from there.
  func remember(_ name: StoreName, _ leave: @escaping (StoreName, Departure) -> Void) {
    stored = (name, leave)
  }

  /// Another descriptor of it, to be given away; nil when it is not open.
  func duplicate() throws(SystemError) -> FileDescriptor? {
    switch descriptor {
    case .some(let descriptor): try descriptor.duplicate()
    case .none: nil
    }
  }

  private func leaveStore(_ pace: Departure) {
    if let (name, leave) = stored.take() { leave(name, pace) }
  }

  private static func inode(of descriptor: borrowing FileDescriptor) -> UInt64 {
    do throws(SystemError) {
      return UInt64(try descriptor.status().st_ino)
    } catch {
      // fstat(2) of an open socket can't fail.
      preconditionFailure("fstat: \(error)")
    }
  }
}
