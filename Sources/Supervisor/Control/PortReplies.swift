// What Sockets, Holders, Free and Tree answer: who has which address, and the processes of a service.

package struct SocketsReply: Codable, Hashable, Sendable {
  package var sockets: [SocketStatus]
  package init(sockets: [SocketStatus]) { self.sockets = sockets }
}

package struct SocketStatus: Codable, Hashable, Sendable {
  package var name: String
  package var address: String
  /// 0 while it is closed (`stop --close`).
  package var inode: UInt64
  /// Connections that wait to be accepted, and how many may; absent for datagram sockets.
  package var queued: Int?
  package var limit: Int?
  /// "opened", "inherited", "closed".
  package var origin: String
  package var services: [String]
  package var holders: [HolderRecord]

  package init(
    name: String, address: String, inode: UInt64, queued: Int?, limit: Int?, origin: String,
    services: [String],
    holders: [HolderRecord]
  ) {
    self.name = name
    self.address = address
    self.inode = inode
    self.queued = queued
    self.limit = limit
    self.origin = origin
    self.services = services
    self.holders = holders
  }
}

/// The reply of Holders, and of Free: there the holders are those that are left, and the remarks say what was done.
package struct HoldersReply: Codable, Hashable, Sendable {
  package var address: String
  package var holders: [HolderRecord]
  /// What there is to say beside the holders: "nobody listens there", "3 connections in TIME_WAIT",
  /// "somebody listens, but no process that can be read here holds it".
  package var remarks: [String]
  package init(address: String, holders: [HolderRecord], remarks: [String]) {
    self.address = address
    self.holders = holders
    self.remarks = remarks
  }
}

extension HolderRecord {
  /// From where it was started, as far as it is known: its terminal, else its unit, else "".
  package var origin: String { terminal ?? unit }
}

/// A process with a descriptor of a listening socket.
package struct HolderRecord: Codable, Hashable, Sendable {
  package var pid: Int32
  package var fd: Int32
  package var command: String
  package var user: String
  /// The systemd unit or the cgroup; "" when unknown.
  package var unit: String
  /// The controlling terminal, "pts/3"; absent without one.
  package var terminal: String?
  /// Seconds since it was started.
  package var age: Double
  /// The address of the socket that it holds.
  package var address: String
  package var inode: UInt64
  /// Our service, when it belongs to one, and its generation.
  package var service: String?
  package var generation: Int?

  package init(
    pid: Int32, fd: Int32, command: String, user: String, unit: String, terminal: String = "", age: Double,
    address: String, inode: UInt64, service: String? = nil, generation: Int? = nil
  ) {
    self.pid = pid
    self.fd = fd
    self.command = command
    self.user = user
    self.unit = unit
    self.terminal = terminal.isEmpty ? nil : terminal
    self.age = age
    self.address = address
    self.inode = inode
    self.service = service
    self.generation = generation
  }
}

package struct TreeReply: Codable, Hashable, Sendable {
  package var trees: [ServiceTree]
  package init(trees: [ServiceTree]) { self.trees = trees }
}

package struct ServiceTree: Codable, Hashable, Sendable {
  package var service: String
  package var generation: Int
  package var keeper: Int32?
  /// Depth first, each after its parent.
  package var processes: [TreeProcess]
  /// It is over, and who is shown lives on by the configuration.
  package var retained: Bool?
  package init(service: String, generation: Int, keeper: Int32?, processes: [TreeProcess]) {
    self.service = service
    self.generation = generation
    self.keeper = keeper
    self.processes = processes
  }
}

package struct TreeProcess: Codable, Hashable, Sendable {
  package var pid: Int32
  package var parent: Int32
  /// 0 for the main process and for those that were reparented to the keeper.
  package var depth: Int
  package var command: String
  package var state: String
  package var user: String
  package var age: Double
  /// "web as fd 3", "127.0.0.1:6379 as fd 5".
  package var holds: [String]
  /// It holds a listener and has no use for it, as far as /proc tells: what it will keep is the port.
  package var leaks: Bool?
  package init(
    pid: Int32, parent: Int32, depth: Int, command: String, state: String, user: String, age: Double,
    holds: [String]
  ) {
    self.pid = pid
    self.parent = parent
    self.depth = depth
    self.command = command
    self.state = state
    self.user = user
    self.age = age
    self.holds = holds
  }
}
