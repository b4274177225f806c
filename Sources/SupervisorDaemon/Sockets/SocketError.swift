// Why a socket could not be opened: the facts, and the one text that is made of them.

import Glibc
import Supervisor

/// A socket of the configuration that can't be opened, at one of its addresses.
package struct SocketError: Error, Hashable, Sendable {
  /// The name in the configuration.
  package var socket: String
  package var address: SocketAddress
  package var step: Step
  /// errno(3), or 0 where the step says it all.
  package var code: Int32

  /// What was being done.
  package enum Step: Hashable, Sendable {
    case create
    /// The key of the configuration whose option the kernel refused.
    case option(String)
    case bind
    case listen
    /// The path is there, and is no socket: what it is ("a regular file").
    case pathTaken(by: String)
    /// Nobody could tell whether the socket at the path is in use.
    case proveStale
    case removeStale
    case changeOwner
    case changeMode
    /// A user or group that does not exist: which.
    case findAccount(String)
  }

  /// What a caller may want to act on.
  package enum Kind: Hashable, Sendable {
    /// Somebody else has the address: the caller may find out who.
    case addressInUse
    case permissionDenied
    case addressNotHere
    case outOfDescriptors
    case other
  }

  package init(socket: String, address: SocketAddress, step: Step, code: Int32) {
    self.socket = socket
    self.address = address
    self.step = step
    self.code = code
  }

  package var kind: Kind {
    switch code {
    case EADDRINUSE: .addressInUse
    case EACCES, EPERM: .permissionDenied
    case EADDRNOTAVAIL: .addressNotHere
    case EMFILE, ENFILE: .outOfDescriptors
    default: .other
    }
  }
}

extension SocketError: CustomStringConvertible {
  package var description: String {
    let name = "socket \"\(socket)\""
    return switch step {
    case .create: "cannot create \(name) for \(address): \(reason)"
    case .option(let key): "cannot set \(key) of \(name) (\(address)): \(reason)"
    case .bind: "cannot bind \(name) to \(address): \(reason)"
    case .listen: "cannot listen on \(name) (\(address)): \(reason)"
    case .pathTaken(let by):
      "cannot bind \(name) to \(address): the path is \(by); remove it, or choose another"
    case .proveStale:
      "cannot bind \(name) to \(address): cannot find out whether the socket there is in use: \(SystemError.text(code))"
    case .removeStale: "cannot remove the stale path of \(name) (\(address)): \(reason)"
    case .changeOwner: "cannot set user and group of \(name) (\(address)): \(reason)"
    case .changeMode: "cannot set the mode of \(name) (\(address)): \(reason)"
    case .findAccount(let account): "cannot find \(account) for \(name) (\(address))"
    }
  }

  private var reason: String {
    SystemError.text(code) + (remedy.map { "; " + $0 } ?? "")
  }

  private var remedy: String? {
    switch (step, code) {
    case (_, EMFILE): "raise the daemon's limit of open files (ulimit -n, LimitNOFILE=)"
    case (_, ENFILE): "raise the machine's limit of open files (sysctl fs.file-max)"
    case (.option("bind_to_device"), ENODEV): "no interface has this name"
    case (.option("bind_to_device"), EPERM): "it needs CAP_NET_RAW (or root)"
    case (.option, EPERM): "it needs CAP_NET_ADMIN (or root)"
    case (.create, EAFNOSUPPORT):
      address.ip?.isV6 == true ? "IPv6 is switched off: write 0.0.0.0 instead" : nil
    case (.bind, EACCES): accessRemedy
    case (.bind, EADDRNOTAVAIL):
      address.ip.map { "no interface of this machine has \($0) (free_bind = true binds all the same)" }
    case (.bind, EINVAL):
      address.ip?.isV6 == true ? "a link-local address needs its interface, as in [fe80::1%eth0]:80" : nil
    case (.bind, ENOENT), (.bind, ENOTDIR): folder.map { "create the folder \($0)" }
    case (.removeStale, EACCES), (.removeStale, EPERM): "remove it, or let the daemon write to its folder"
    case (.changeOwner, EPERM): "only root may give a socket to another user"
    default: nil
    }
  }

  private var accessRemedy: String? {
    if let port = address.port {
      return port < 1024 ? "ports below 1024 need CAP_NET_BIND_SERVICE (or root)" : nil
    }
    return folder.map { "the daemon may not write to \($0)" }
  }

  private var folder: String? {
    guard case .unix(_, .path(let path)) = address, let slash = path.lastIndex(of: "/") else { return nil }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

/// Every socket that could not be opened, at once.
package struct SocketOpenFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// At least one.
  package var errors: [SocketError]

  package init(errors: [SocketError]) { self.errors = errors }

  package var description: String { errors.map(\.description).joined(separator: "\n") }
}
