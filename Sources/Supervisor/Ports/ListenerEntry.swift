// A socket that takes what arrives at an address, as the kernel's table shows it, and which addresses
// those are.

import CLinux
import Glibc

/// A listening TCP or Unix socket, or a bound UDP or Unix datagram socket.
package struct ListenerEntry: Hashable, Sendable {
  /// What it is bound to.
  package var address: SocketAddress
  /// A `[::]` that leaves IPv4 to others (ipv6(7), IPV6_V6ONLY); false where only /proc/net is read.
  package var isV6Only: Bool
  /// Several sockets may have one address: SO_REUSEPORT siblings.
  package var inode: UInt64
  /// The user who opened it; nil when the kernel does not tell (Unix sockets before Linux 5.3).
  package var uid: UInt32?
  /// Connections that wait to be accepted; for UDP and Unix datagram sockets bytes that wait to be read.
  package var queued: Int
  /// How many connections may wait; 0 when nothing is accepted there or the kernel does not tell.
  package var limit: Int
  /// The file behind a Unix path, when known.
  package var file: UnixFile?

  /// Which file a Unix socket is bound to: its path may mean another one by now, or be relative.
  package struct UnixFile: Hashable, Sendable {
    /// The low 32 bits of the inode number, all that unix_diag tells.
    package var inode: UInt32
    /// The kernel's own form: major << 20 | minor.
    package var device: UInt32

    package init(inode: UInt32, device: UInt32) {
      self.inode = inode
      self.device = device
    }
  }

  package init(
    address: SocketAddress, inode: UInt64, uid: UInt32?, queued: Int = 0, limit: Int = 0,
    isV6Only: Bool = false,
    file: UnixFile? = nil
  ) {
    self.address = address
    self.inode = inode
    self.uid = uid
    self.queued = queued
    self.limit = limit
    self.isV6Only = isV6Only
    self.file = file
  }
}

/// What a Unix path means now.
package enum UnixPathState: Hashable, Sendable {
  case absent
  case file(ListenerEntry.UnixFile)
  /// It can't be looked at, or the address is no path.
  case unknown

  /// stat(2) of the path.
  package static func of(_ address: SocketAddress) -> UnixPathState {
    guard case .unix(_, .path(let path)) = address else { return .unknown }
    var status = stat()
    guard lstat(path, &status) == 0 else { return errno == ENOENT || errno == ENOTDIR ? .absent : .unknown }
    let device = UInt64(status.st_dev)
    // gnu_dev_major(3): 12 low bits of the major number at bit 8, 20 bits of the minor around it.
    let major = UInt32(truncatingIfNeeded: device >> 8 & 0xfff)
    let minor = UInt32(truncatingIfNeeded: device & 0xff | device >> 12 & 0xfff00)
    return .file(.init(inode: UInt32(truncatingIfNeeded: status.st_ino), device: major << 20 | minor))
  }
}

extension ListenerEntry {
  /// True when it takes connections or datagrams that are meant for `wanted`.
  package func serves(_ wanted: SocketAddress, path: UnixPathState) -> Bool {
    guard case .unix(let wantedKind, let wantedName) = wanted, case .unix(let kind, let name) = address else {
      return wanted.overlaps(address, otherIsV6Only: isV6Only)
    }
    // Each type has abstract names of its own (kernel: net/unix/af_unix.c unix_bind_abstract).
    guard case .path = wantedName else { return name == wantedName && kind == wantedKind }
    switch path {
    case .absent: return false
    case .unknown: return name == wantedName
    case .file(let now):
      guard let file else { return name == wantedName }
      // overlayfs shows another device than the one that the socket's inode is on: the name makes up for it.
      return file.inode == now.inode && (file.device == now.device || name == wantedName)
    }
  }
}

extension SocketAddress {
  /// The families in which a socket may stand that overlaps this address (ipv6(7): dual stack, IPv4-mapped).
  var overlappingFamilies: [Int32] {
    guard let ip else { return [] }
    if case .v6 = ip.unmapped, !ip.isWildcard { return [AF_INET6] }
    return [AF_INET, AF_INET6]
  }
}
