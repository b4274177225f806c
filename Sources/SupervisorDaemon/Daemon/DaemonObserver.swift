// What somebody beside the daemon may want to hear of it while it runs: a run at a desk does.

import Supervisor

/// Hears of what goes on, and changes nothing from within.
protocol DaemonObserver: AnyObject {
  /// A round of events is over.
  func eventsHandled(of daemon: Daemon)
  /// A process of a service is about to bind an address that somebody else has.
  func bindOfTakenAddress(_ address: SocketAddress, of service: Int, pid: Int32)
  /// Everything is at rest after a shutdown: the exit status.
  func exitStatus(of daemon: Daemon) -> Int32
}
