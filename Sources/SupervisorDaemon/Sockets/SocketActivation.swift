// Sockets that whoever started the daemon opened for it: the protocol of sd_listen_fds(3), read strictly.
// Which socket of the configuration each one is, SocketTakeover decides.

import CLinux
import Glibc
import Supervisor

/// The sockets that came with the start of the daemon.
package struct SocketActivation {
  package let inherited: [InheritedSocket]
  /// What was ignored, and why.
  package let remarks: [String]

  /// Nothing came.
  package static var none: SocketActivation { SocketActivation(inherited: [], remarks: []) }

  /// With what came by another way.
  package func adding(_ others: [InheritedSocket]) -> SocketActivation {
    SocketActivation(inherited: inherited + others, remarks: remarks)
  }

  /// Takes the sockets that are meant for this process, removes the variables from the environment (they are
  /// no service's business, nor are those that were meant for somebody else), and marks every inherited
  /// descriptor from 3 on as close-on-exec.
  ///
  /// To be called first of all: it believes that the descriptors it is told of are not the daemon's own.
  package static func take() -> SocketActivation {
    take(firstDescriptor: 3)  // SD_LISTEN_FDS_START
  }

  /// For a test, whose low descriptors are taken.
  package static func take(firstDescriptor first: CInt) -> SocketActivation {
    let variables = ActivationVariables.fromEnvironment()
    ActivationVariables.removeFromEnvironment()
    // close_range(2) with a range that is valid can only fail where CLOSE_RANGE_CLOEXEC is unknown (before
    // Linux 5.11).
    let marked = cl_mark_close_on_exec(UInt32(first))
    var remarks = marked == -1 ? [SystemError("mark inherited descriptors as close-on-exec").description] : []
    let request: ActivationRequest
    switch ActivationRequest.parse(variables, ownPid: getpid(), limit: descriptorLimit - first) {
    case .none: return SocketActivation(inherited: [], remarks: remarks)
    case .ignored(let why): return SocketActivation(inherited: [], remarks: remarks + [why])
    case .request(let wanted): request = wanted
    }
    remarks += request.remarks
    var sockets: [InheritedSocket] = []
    var closed: [CInt] = []
    for (offset, name) in request.names.enumerated() {
      let number = first + CInt(offset)
      switch InheritedSocket.examine(number, name: name) {
      case .socket(let socket): sockets.append(socket)
      case .notOpen: closed.append(number)
      case .unusable(let why): remarks.append(why)
      }
    }
    if let one = closed.first {
      let more = closed.count > 1 ? " and \(closed.count - 1) more" : ""
      remarks.append("LISTEN_FDS counts descriptor \(one)\(more), but it is not open; ignored")
    }
    return SocketActivation(inherited: sockets, remarks: remarks)
  }

  private static var descriptorLimit: CInt {
    var limit = rlimit()
    let result = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return result == 0 ? CInt(clamping: limit.rlim_cur) : 1024
  }
}

/// The three variables of sd_listen_fds(3), as they are.
package struct ActivationVariables: Hashable, Sendable {
  package var pid: String?
  package var count: String?
  package var names: String?

  package init(pid: String?, count: String?, names: String?) {
    self.pid = pid
    self.count = count
    self.names = names
  }

  static func fromEnvironment() -> ActivationVariables {
    func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
    return ActivationVariables(
      pid: value("LISTEN_PID"), count: value("LISTEN_FDS"), names: value("LISTEN_FDNAMES"))
  }

  static func removeFromEnvironment() {
    // LISTEN_PIDFDID is newer systemd's, beside LISTEN_PID.
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] { unsetenv(name) }
  }
}

/// What the variables ask for.
package struct ActivationRequest: Hashable, Sendable {
  /// One for each descriptor, in their order; nil where no name came.
  package var names: [String?]
  package var remarks: [String]

  package init(names: [String?], remarks: [String]) {
    self.names = names
    self.remarks = remarks
  }

  package enum Outcome: Hashable, Sendable {
    /// No variable is set, or no descriptor comes.
    case none
    case ignored(String)
    case request(ActivationRequest)
  }

  /// Reads them.
  ///
  /// Numbers are ASCII digits and nothing else.
  ///
  /// - Parameter limit: how many descriptors there can be.
  package static func parse(_ variables: ActivationVariables, ownPid: Int32, limit: Int32) -> Outcome {
    guard variables.pid != nil || variables.count != nil else { return .none }
    guard let pidText = variables.pid else {
      return .ignored("LISTEN_FDS is set without LISTEN_PID; ignored")
    }
    guard let countText = variables.count else {
      return .ignored("LISTEN_PID is set without LISTEN_FDS; ignored")
    }
    guard let pid = number(pidText), pid > 0 else {
      return .ignored(
        "LISTEN_PID is \"\(shown(pidText))\", which is no process id; the inherited sockets are ignored")
    }
    guard pid == ownPid else {
      return .ignored(
        "LISTEN_PID is \(pid), this is process \(ownPid): the inherited sockets are somebody else's")
    }
    guard let count = number(countText) else {
      return .ignored(
        "LISTEN_FDS is \"\(shown(countText))\", which is no count; the inherited sockets are ignored")
    }
    if count == 0 { return .none }
    var remarks: [String] = []
    let possible = Int(max(0, min(count, limit)))
    if count > limit {
      remarks.append("LISTEN_FDS is \(count), but at most \(possible) descriptors can be open")
    }
    let given = variables.names.map { $0.split(separator: ":", omittingEmptySubsequences: false) } ?? []
    if variables.names != nil, given.count != count {
      remarks.append("LISTEN_FDNAMES has \(given.count) names for \(count) sockets")
    }
    let names = (0..<possible).map { $0 < given.count && !given[$0].isEmpty ? String(given[$0]) : nil }
    return .request(ActivationRequest(names: names, remarks: remarks))
  }

  private static func number(_ text: String) -> Int32? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int32(text)
  }

  /// A foreign text for a log line: short and printable.
  private static func shown(_ text: String) -> String { ProcessTable.printable(String(text.prefix(40))) }
}
