// Who listens where: the kernel's table, which no process can hide from. Who holds a socket is HolderWalk's.

import CLinux
import Glibc

/// The kernel's socket table, for this network namespace.
///
/// It asks for one port alone, so that its cost does not grow with the connections of the machine.
package final class SocketTable {
  /// Where it reads.
  package enum Source: Hashable, Sendable {
    /// sock_diag(7), and /proc/net where that is refused.
    case kernel
    case procNet
  }

  /// Ports up to which each is asked for; above, all listeners are read once.
  private static let portsWorthAsking = 8

  private let source: Source
  private let diagnosis = SocketDiagnosis()

  /// Opens nothing: the netlink socket comes with the first question, and stays.
  package init(source: Source = .kernel) { self.source = source }

  /// Every listener that takes what is meant for an address.
  ///
  /// Wildcards, dual stack and SO_REUSEPORT siblings included; for UDP and Unix datagrams these are the bound
  /// sockets. A table that can't be read throws: it never reads as "nobody".
  package func listeners(on address: SocketAddress) throws(SystemError) -> [ListenerEntry] {
    let kind = address.socketProtocol
    var found: [ListenerEntry] = []
    for family in kind == .unix ? [AF_UNIX] : address.overlappingFamilies {
      found += try read(.listening(kind, family: family, port: address.port ?? 0))
    }
    let path = UnixPathState.of(address)
    return found.filter { $0.serves(address, path: path) }
  }

  /// The listeners of many addresses, in the order of the addresses.
  package func listeners(onAnyOf addresses: [SocketAddress]) throws(SystemError) -> [[ListenerEntry]] {
    let severalUnix = addresses.count { $0.socketProtocol == .unix } > 1
    if addresses.count <= Self.portsWorthAsking, !severalUnix {
      var found: [[ListenerEntry]] = []
      for address in addresses { found.append(try listeners(on: address)) }
      return found
    }
    let everybody = try read(Set(addresses.map(\.socketProtocol)))
    return addresses.map { address in
      let path = UnixPathState.of(address)
      return everybody.filter { $0.serves(address, path: path) }
    }
  }

  /// Every listener of this network namespace.
  package func all() throws(SystemError) -> [ListenerEntry] { try read([.tcp, .udp, .unix]) }

  /// Every TCP listener and bound UDP socket of this network namespace.
  package func allPorts() throws(SystemError) -> [ListenerEntry] { try read([.tcp, .udp]) }

  /// The accept queue of one listener; nil when there is no such listener.
  package func queue(ofInode inode: UInt64, address: SocketAddress) throws(SystemError) -> AcceptQueue? {
    // By inode alone for a Unix path: its file may be gone while the listener is still there.
    let candidates =
      address.socketProtocol == .unix ? try read([.unix]) : try listeners(on: address)
    return candidates.first { $0.inode == inode }.map { AcceptQueue(queued: $0.queued, limit: $0.limit) }
  }

  /// Closed connections that keep the port of an address in TIME_WAIT; reads the whole connection table.
  package func timeWait(on address: SocketAddress) throws(SystemError) -> Int {
    guard case .tcp(_, let port) = address else { return 0 }
    var count = 0
    for family in address.overlappingFamilies {
      count += try read(.timeWait(family: family, port: port)).count { $0.serves(address, path: .unknown) }
    }
    return count
  }

  /// What has the port of a TCP or UDP address without listening there; reads the whole connection table.
  ///
  /// Sockets that are only bound, connections from or to it, and with inode 0 what lingers of those
  /// (TIME_WAIT, …).
  package func occupants(of address: SocketAddress) throws(SystemError) -> [ListenerEntry] {
    guard let port = address.port else { return [] }
    var found: [ListenerEntry] = []
    for family in address.overlappingFamilies {
      found += try read(.occupying(address.socketProtocol, family: family, port: port))
    }
    return found.filter { $0.serves(address, path: .unknown) }
  }

  private func read(_ kinds: Set<SocketProtocol>) throws(SystemError) -> [ListenerEntry] {
    var found: [ListenerEntry] = []
    for kind in [SocketProtocol.tcp, .udp, .unix] where kinds.contains(kind) {
      for family in kind == .unix ? [AF_UNIX] : [AF_INET, AF_INET6] {
        found += try read(.listening(kind, family: family))
      }
    }
    return found
  }

  private func read(_ request: SocketRequest) throws(SystemError) -> [ListenerEntry] {
    if source == .procNet { return try ProcNet.sockets(request) }
    do throws(SystemError) {
      return try diagnosis.sockets(request)
    } catch {
      return try ProcNet.sockets(request)
    }
  }
}

/// Connections that wait to be accepted, and how many may (0: unknown).
package struct AcceptQueue: Hashable, Sendable {
  package var queued: Int
  package var limit: Int
}

extension SocketAddress {
  var socketProtocol: SocketProtocol {
    switch self {
    case .tcp: .tcp
    case .udp: .udp
    case .unix: .unix
    }
  }
}
