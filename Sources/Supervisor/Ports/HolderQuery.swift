// The complete answer to "who holds this port": table, walk and descriptions put together. Listeners only,
// no clients.

import Glibc

/// What the table said; the rest is found out by a walk, for which a command waits and the daemon doesn't.
package struct HolderQuestion: Hashable, Sendable {
  /// As it was asked for; nil for every port.
  package var address: SocketAddress?
  package var listeners: [ListenerEntry]
  /// Closed connections that linger on the address; counted only when nobody listens there.
  package var timeWait: Int

  package init(address: SocketAddress?, listeners: [ListenerEntry], timeWait: Int = 0) {
    self.address = address
    self.listeners = listeners
    self.timeWait = timeWait
  }

  /// The sockets to look for; empty when no walk is needed.
  package var inodes: Set<UInt64> { Set(listeners.map(\.inode)) }

  /// Asks the table about one address.
  package init(about address: SocketAddress, table: SocketTable) throws(SystemError) {
    let listeners = try table.listeners(on: address)
    self.init(
      address: address, listeners: listeners,
      timeWait: listeners.isEmpty ? try table.timeWait(on: address) : 0)
  }

  /// Asks the table about every TCP and UDP port.
  package init(aboutEveryPortOf table: SocketTable) throws(SystemError) {
    let listeners = try table.allPorts()
    self.init(
      address: nil,
      listeners: listeners.sorted { ($0.address.port ?? 0, $0.inode) < ($1.address.port ?? 0, $1.inode) })
  }
}

extension HolderQuestion {
  /// Puts the answer together; reads /proc of the holders.
  ///
  /// - Parameter user: who asks: what is hidden from anybody but root is told apart from what nobody sees.
  package func reply(to walk: HolderWalkResult, asUser user: UInt32 = geteuid()) -> HoldersReply {
    let users = UserNames.read()
    var reply = HoldersReply(address: address?.description ?? "", holders: [], remarks: [])
    if listeners.isEmpty { reply.remarks = nobodyListens }
    let holders = Dictionary(grouping: walk.holders, by: \.inode)
    var hidden: [UInt32: [ListenerEntry]] = [:]
    for listener in listeners {
      let found = holders[listener.inode] ?? []
      if found.isEmpty {
        if user != 0, let owner = listener.uid, owner != user {
          hidden[owner, default: []].append(listener)
        } else {
          reply.remarks.append(Self.nobodyHolds(listener, users))
        }
      }
      for holder in found {
        if let record = Self.record(holder, listener, users) {
          reply.holders.append(record)
        } else {
          reply.remarks.append(
            "process \(holder.pid) held \(listener.address) a moment ago, and does not any more")
        }
      }
    }
    reply.remarks += hidden.sorted { $0.key < $1.key }.map { Self.hidden($0.value, users.name(of: $0.key)) }
    if walk.unreadable > 0, !listeners.isEmpty { reply.remarks.append(Self.unreadable(walk.unreadable)) }
    if walk.isTruncated { reply.remarks.append("there are more holders than are shown") }
    return reply
  }

  private var nobodyListens: [String] {
    guard let address else { return ["nobody listens on any port"] }
    var remarks = ["nobody listens on \(address)"]
    if timeWait > 0 {
      let connections = timeWait == 1 ? "1 connection" : "\(timeWait) connections"
      remarks.append("\(connections) in TIME_WAIT: a new listener with SO_REUSEADDR is not kept out by that")
    }
    return remarks
  }

  private static func nobodyHolds(_ listener: ListenerEntry, _ users: UserNames) -> String {
    let user = listener.uid.map { ", user \(users.name(of: $0))" } ?? ""
    return
      "somebody listens on \(listener.address) (inode \(listener.inode)\(user)), but no process that "
      + "/proc shows here holds it: it may belong to another user, a container or the kernel, or sit in a "
      + "queue"
  }

  private static func hidden(_ listeners: [ListenerEntry], _ user: String) -> String {
    let addresses = listeners.map(\.address.description).joined(separator: ", ")
    if listeners.count == 1 { return "\(addresses) belongs to user \(user); root sees who holds it" }
    return "\(listeners.count) listeners belong to user \(user); root sees who holds them: \(addresses)"
  }

  private static func unreadable(_ count: Int) -> String {
    let processes = count == 1 ? "1 process" : "\(count) processes"
    return "\(processes) could not be read" + (geteuid() == 0 ? "" : "; run as root to see what they hold")
  }

  /// nil when the process is gone, or has closed it.
  private static func record(_ holder: HolderEntry, _ listener: ListenerEntry, _ users: UserNames)
    -> HolderRecord?
  {
    guard let process = ProcessDescription.of(holder.pid, users: users), holder.isStillThere else {
      return nil
    }
    return HolderRecord(
      pid: holder.pid, fd: holder.fd, command: process.command, user: process.user, unit: process.unit,
      terminal: process.terminal, age: process.age.milliseconds / 1000,
      address: listener.address.description, inode: listener.inode)
  }
}

extension HolderEntry {
  /// Looks once more, so that a process which took over the number is not blamed.
  var isStillThere: Bool {
    let owner = thread.map { "\(pid)/task/\($0)" } ?? "\(pid)"
    let expected = isRegistered ? "anon_inode:[io_uring]" : "socket:[\(inode)]"
    var link = [CChar](repeating: 0, count: 64)
    let length = readlink("/proc/\(owner)/fd/\(fd)", &link, link.count)
    return length > 0 && link.prefix(length).elementsEqual(expected.utf8.map { CChar(bitPattern: $0) })
  }
}

/// The answers for a command that waits for them; the daemon uses HolderQuestion and HolderWalk.start.
package enum HolderQuery {
  /// Who listens on an address, and who holds those listeners.
  package static func holders(of address: SocketAddress) throws(SystemError) -> HoldersReply {
    try answer(HolderQuestion(about: address, table: SocketTable()))
  }

  /// The holders, and whether anybody listens: who holds it may be hidden.
  package struct View {
    package var reply: HoldersReply
    package var isHeld: Bool
  }

  /// Who listens on an address, and whether anybody does.
  package static func view(of address: SocketAddress) throws(SystemError) -> View {
    let question = try HolderQuestion(about: address, table: SocketTable())
    return View(reply: try answer(question), isHeld: !question.listeners.isEmpty)
  }

  /// Every TCP listener and bound UDP socket with its holders.
  package static func allListeners() throws(SystemError) -> HoldersReply {
    try answer(HolderQuestion(aboutEveryPortOf: SocketTable()))
  }

  private static func answer(_ question: HolderQuestion) throws(SystemError) -> HoldersReply {
    question.reply(to: try HolderWalk.run(inodes: question.inodes, in: .machine))
  }
}
