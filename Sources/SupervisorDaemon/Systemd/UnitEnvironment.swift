// What the environment says about the service manager that started us: systemd.exec(5), sd_notify(3). Pure.

import Supervisor

/// The variables by which systemd tells a process what it is, and what it may ask for.
package struct UnitEnvironment: Hashable, Sendable {
  /// NOTIFY_SOCKET; nil when nobody wants to be told anything.
  package var notifySocket: String?
  package var role: Role
  package var store: StoreOffer
  /// WATCHDOG_USEC, when it is meant for this process (sd_watchdog_enabled(3)).
  package var watchdog: Duration?

  package enum Role: Hashable, Sendable {
    /// systemd executed this process: SYSTEMD_EXEC_PID is its number (systemd 248 or later).
    case mainProcess
    /// Somebody else did, be it below a unit.
    case other
  }

  /// What FDSTORE says: how many descriptors the unit may store, FileDescriptorStoreMax=.
  package enum StoreOffer: Hashable, Sendable {
    /// systemd before 254 says nothing, later ones nothing where the store is off.
    case untold
    case off
    case room(Int)
  }

  /// - Parameters:
  ///   - value: a variable's value; nil when it is unset or empty.
  ///   - pid: of this process.
  package init(pid: Int32, _ value: (String) -> String?) {
    notifySocket = value("NOTIFY_SOCKET")
    role = value("SYSTEMD_EXEC_PID") == "\(pid)" ? .mainProcess : .other
    store =
      switch value("FDSTORE").flatMap({ Int($0) }) {
      case .none: .untold
      case .some(let count) where count <= 0: .off
      case .some(let count): .room(count)
      }
    let isForUs = value("WATCHDOG_PID").map { $0 == "\(pid)" } ?? true
    if isForUs, let microseconds = value("WATCHDOG_USEC").flatMap({ Int64($0) }), microseconds > 0 {
      watchdog = .microseconds(microseconds)
    }
  }

  /// Whether listeners go to the descriptor store: we are a unit's main process, and nobody said that it is off.
  ///
  /// Whoever else sets NOTIFY_SOCKET has no store.
  package var mayStore: Bool { notifySocket != nil && role == .mainProcess && store != .off }

  /// When READY=1 is sent, unless the configuration says.
  package var readiness: DaemonReadiness { role == .mainProcess ? .services : .sockets }
}
