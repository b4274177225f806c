// A service manager's unit, as far as the daemon in it can tell: notifications, and a descriptor store.

import Glibc
import Supervisor
import Testing

/// Starts daemons as systemd does: as the main process of a unit, with what its store has.
final class Unit {
  let world: World
  let notify: NotifyListener

  init(_ world: World) throws {
    self.world = world
    notify = try NotifyListener(world.path("unit.sock"))
  }

  /// Sets what only the process itself knows, and becomes the daemon.
  private static let script = """
    SYSTEMD_EXEC_PID=$$; export SYSTEMD_EXEC_PID
    if [ "$LISTEN_FDS" ]; then LISTEN_PID=$$; export LISTEN_PID; fi
    exec "$@"
    """

  /// - Parameter store: how many descriptors FDSTORE says may be stored; systemd before 254 says nothing.
  @discardableResult func start(
    _ configuration: String, store: String? = nil, watchdog: Duration? = nil
  ) throws -> Spawned {
    var environment = ["NOTIFY_SOCKET=\(notify.path)"]
    if let store { environment.append("FDSTORE=\(store)") }
    if let watchdog { environment.append("WATCHDOG_USEC=\(watchdog.wholeNanoseconds / 1000)") }
    var extra: [CInt: CInt] = [:]
    let names = notify.store.keys.sorted()
    for (index, name) in names.enumerated() {
      extra[CInt(index) + 3] = try #require(notify.store[name]).descriptor.number
    }
    if !names.isEmpty {
      environment += ["LISTEN_FDS=\(names.count)", "LISTEN_FDNAMES=\(names.joined(separator: ":"))"]
    }
    let daemon = try world.spawn(
      configuration, prefix: ["/bin/sh", "-c", Self.script, "sh"], environment: environment, extra: extra)
    world.adopt(daemon)
    return daemon
  }

  /// Waits for one more READY=1.
  func awaitReady(_ count: Int = 1) throws {
    try eventually("READY=1, \(count) times") {
      notify.values(of: "READY").count >= count ? true : nil
    }
  }
}
