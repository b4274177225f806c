// What services do to a shared listener, and how it is undone. Runs after every exit, on the way to a
// relaunch: a healthy TCP listener costs four system calls.

import CLinux
import Glibc
import Supervisor

/// What is wrong with a listener.
///
/// The open file description is shared with every generation, so that whatever one does to it is there for
/// the next.
package enum Damage: Hashable, Sendable {
  /// O_NONBLOCK is set: half of all programs do it, and surprise those that don't.
  case nonBlocking
  /// TCP and shutdown(2), or connect(2) to AF_UNSPEC: it is bound but refuses. listen(2) revives it.
  case notListening
  /// shutdown(2) of a Unix or UDP socket: nothing revives it.
  case shutDown
  /// connect(2) of a datagram socket: it hears that one peer only.
  case connected
  /// SO_ATTACH_FILTER or SO_ATTACH_BPF: packets are dropped by somebody's program.
  case filtered
  /// The path of a Unix socket was removed: nobody can connect.
  case pathGone
  /// The path leads elsewhere.
  case pathReplaced
  /// An earlier repair had to let go of it, and could not open it again.
  case lost
}

extension Listener {
  /// Looks for damage.
  ///
  /// Empty for a closed listener, and for one that waits for its address.
  /// A queue that was shortened by listen(2) does not show.
  package func inspect() -> [Damage] {
    guard isOpen else { return isClosed || isWaiting ? [] : [.lost] }
    let number = self.number
    var damage: [Damage] = []
    if cl_fcntl(number, F_GETFL, 0) & O_NONBLOCK != 0 { damage.append(.nonBlocking) }
    if address.accepts, KernelOption.read(number, SOL_SOCKET, SO_ACCEPTCONN) == 0 {
      damage.append(.notListening)
    }
    // For a TCP listener SO_ACCEPTCONN says it all; for the others nothing but poll(2) tells.
    if !isTCP, cl_is_shut_down(number) == 1 { damage.append(.shutDown) }
    if !address.accepts, KernelAddress.hasPeer(number) { damage.append(.connected) }
    if cl_filter_length(number) != 0 { damage.append(.filtered) }
    if address.path != nil {
      switch entry?.state ?? .gone {
      case .same: break
      case .gone: damage.append(.pathGone)
      case .replaced: damage.append(.pathReplaced)
      }
    }
    return damage
  }

  /// Undoes the damage, and sets the length of the queue anew.
  ///
  /// Returns what the log should say.
  ///
  /// What could not be repaired shows at the next `inspect()` again.
  package func repair(_ damage: [Damage]) -> [String] {
    if isClosed || isWaiting { return [] }
    var remarks: [String] = []
    if let reason = damage.lazy.compactMap(\.reasonToReplace).first {
      remarks.append(replace(because: reason))
    } else {
      for one in damage { remarks += undo(one) }
    }
    // Again each time: a service may have called listen(fd, 0), and nothing tells.
    if isOpen, address.accepts { remarks += listenAgain(lost: damage.contains(.notListening)) }
    return remarks
  }

  /// Makes it as good as new for the next generation, and returns what the log should say.
  package func prepareForLaunch() -> [String] { repair(inspect()) }

  private var isTCP: Bool {
    if case .tcp = address { true } else { false }
  }

  private func undo(_ damage: Damage) -> [String] {
    let number = self.number
    switch damage {
    case .nonBlocking:
      // Not worth a line: 20 of 38 servers that were tried turn it on.
      let flags = cl_fcntl(number, F_GETFL, 0)
      return outcome(cl_fcntl(number, F_SETFL, Int(flags & ~O_NONBLOCK)), "clear O_NONBLOCK of", nil)
    case .connected:
      var nobody = sockaddr()
      nobody.sa_family = sa_family_t(AF_UNSPEC)
      let result = connect(number, &nobody, socklen_t(MemoryLayout<sockaddr>.size))
      return outcome(
        result, "disconnect", "had been connected to one peer by the service; it hears everybody again")
    case .filtered:
      var ignored: CInt = 0
      let result = setsockopt(
        number, SOL_SOCKET, SO_DETACH_FILTER, &ignored, socklen_t(MemoryLayout<CInt>.size))
      if result == -1, errno == ENOENT { return [] }
      return outcome(result, "detach the filter of", "had a packet filter of the service; it is detached")
    case .notListening, .shutDown, .pathGone, .pathReplaced, .lost: return []
    }
  }

  private func outcome(_ result: CInt, _ verb: String, _ done: String?) -> [String] {
    if result == -1 { return ["cannot \(verb) \(opening.named): \(SystemError.text(errno))"] }
    return done.map { ["\(opening.named) \($0)"] } ?? []
  }

  private func listenAgain(lost: Bool) -> [String] {
    if let failure = listen() { return [failure] }
    return lost ? ["\(opening.named) had been shut down by the service; it listens again"] : []
  }

  /// Opens a new socket at the address in place of the old one.
  ///
  /// A Unix socket that was unlinked or shut down
  /// can't be bound or opened again: the connections that waited in its queue are lost, which is said.
  private func replace(because reason: String) -> String {
    do throws(SocketError) {
      try makeWay()
      move(to: try opening.open())
      return "\(opening.named) \(reason); it was opened anew, what waited in the old queue is lost"
    } catch {
      return "\(opening.named) \(reason); \(error)"
    }
  }

  /// Frees the address for the new socket.
  ///
  /// At a path the old one stays open until the new one is there; any other address can't have two.
  private func makeWay() throws(SocketError) {
    guard address.path != nil else { return loseDescriptor() }
    guard let entry else { return }
    do throws(SystemError) {
      _ = try entry.removeIfOurs()
    } catch {
      throw opening.failure(.removeStale, error.code)
    }
  }
}

extension Damage {
  /// Why only a new socket helps; nil when this one can be repaired.
  fileprivate var reasonToReplace: String? {
    switch self {
    case .shutDown: "had been shut down by the service"
    case .pathGone: "had lost its path"
    case .pathReplaced: "had its path replaced"
    case .lost: "was not open"
    case .nonBlocking, .notListening, .connected, .filtered: nil
    }
  }
}
