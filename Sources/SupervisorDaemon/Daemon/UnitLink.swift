// The daemon's side of sd_notify(3): what was said, what is to be said, and the descriptor store.

import Glibc
import Supervisor

/// The service manager that started the daemon, as far as there is one.
final class UnitLink {
  let environment: UnitEnvironment
  /// nil when nobody wants to be told.
  let sender: NotifySender?
  /// nil when there is none, as far as is known.
  let store: ListenerStore?
  /// Something came back from the store: then it is on, whatever is said.
  var hasReturned = false
  /// The service manager's process: PID 1, or a user's systemd; it may hold our listeners, for it handed them to us, or
  /// keeps them for us.
  let managerPID: Int32
  /// What READY=1 waits for; nil when it waits for nothing any more.
  var startup: StartupProgress?
  var statusTimer: EventSource?
  var lastStatus: String?

  init(loop: EventLoop) {
    environment = UnitEnvironment(pid: getpid(), environmentValue)
    managerPID = environment.role == .mainProcess ? getppid() : 1
    sender = environment.notifySocket.map { NotifySender(path: $0, loop: loop) }
    store = environment.mayStore ? sender.map { ListenerStore(sender: $0) } : nil
  }

  /// For `doctor`.
  func findings(_ listeners: [Listener]) -> [DoctorReply.Finding] {
    let stored = listeners.count { $0.storeName != nil }
    return [
      .init(name: "service manager", ok: true, message: environment.startText),
      .init(
        name: "descriptor store", ok: !environment.isTooSmall(for: stored),
        message: environment.storeText(listeners: stored, hasReturned: hasReturned)),
      .init(
        name: "watchdog", ok: true,
        message: environment.watchdog.map {
          "systemd restarts the daemon when its loop is stuck for \($0.text)"
        }
          ?? "nobody watches whether the daemon's loop is stuck (WatchdogSec=)"),
    ]
  }
}

extension Daemon {
  /// When the services' states change, the line of `systemctl status` follows after that time: a quick restart is over
  /// by then, and nothing has to be said.
  private static let statusDelay: Duration = .milliseconds(100)

  /// sd_notify(3); nothing happens without a NOTIFY_SOCKET.
  func tellSystemd(_ state: String) { unit.sender?.say(state) }

  /// Starts services, and says READY=1 now or when they have a result.
  func begin(_ services: [Int]) {
    let readiness = configuration.daemon.readiness ?? unit.environment.readiness
    if readiness == .services {
      unit.startup = StartupProgress(wanted: services)
      extendTimeout(TimeBounds.start(runtimes.map(\.definition)))
    }
    perform(graph.start(services, at: Clock.now()))
    if readiness == .sockets { tellSystemd("READY=1") }
    statusChanged()
  }

  /// Variables that make no sense are told; they are no reason not to run.
  func feedWatchdog() {
    do throws(SystemError) { try loop.feedWatchdog() } catch { log.log(.warning, "\(error)") }
  }

  /// After every round of events: perhaps the last service has its result.
  func sayReadyInTime() {
    guard let startup = unit.startup, shutdown == .notAsked, startup.isComplete(graph) else { return }
    unit.startup = nil
    sayStatus()
    tellSystemd("READY=1")
  }

  func tellSystemdOfStop() {
    unit.startup = nil
    tellSystemd("STOPPING=1")
    extendTimeout(TimeBounds.stop(graph.present.map { runtimes[$0].definition }))
    statusChanged()
  }

  /// It counts from now on, and only where it is longer than what the unit allows.
  private func extendTimeout(_ time: Duration) {
    tellSystemd("EXTEND_TIMEOUT_USEC=\(time.wholeNanoseconds / 1000)")
  }

  /// The status line follows soon.
  func statusChanged() {
    guard unit.sender != nil, unit.statusTimer == nil else { return }
    do throws(SystemError) {
      unit.statusTimer = try loop.timer(at: Clock.now() + Self.statusDelay, priority: .logs) { [weak self] in
        self?.unit.statusTimer = nil
        self?.sayStatus()
      }
    } catch {
      log.log(.warning, "\(error)")
    }
  }

  private func sayStatus() {
    let line = StatusLine.text(graph.present.map(glance), isStopping: shutdown != .notAsked)
    guard line != unit.lastStatus else { return }
    unit.lastStatus = line
    unit.sender?.say(status: line)
  }

  private func glance(_ service: Int) -> ServiceGlance {
    let (state, message) = graph.publicState(of: service)
    var glance = ServiceGlance(name: runtimes[service].definition.name, state: state, message: message)
    if case .backingOff(let backingOff) = graph.machines[service].state, state == .backoff {
      glance.retryIn = backingOff.until - Clock.now()
    }
    return glance
  }

  /// Puts the listeners that are not there yet into the descriptor store; to be called whenever one was opened.
  func keepListeners() {
    for error in unit.store?.keep(sockets.all) ?? [] { log.log(.warning, "\(error)", kind: .socketRemark) }
  }

  /// At the start: what came back, and what is known of the store.
  func tellOfStore() {
    guard unit.environment.role == .mainProcess, unit.sender != nil else { return }
    let returned = sockets.all.filter { $0.storeName != nil }
    unit.store?.remove(sockets.unclaimed)
    if !returned.isEmpty || !sockets.unclaimed.isEmpty {
      unit.hasReturned = true
      let names = returned.map { "\"\($0.socket)\" (\($0.address))" }.joined(separator: ", ")
      let removed = sockets.unclaimed.map { "\"\($0.socket)\"" }.joined(separator: ", ")
      log.log(
        .notice,
        "back from the descriptor store: \(names.isEmpty ? "nothing" : names)"
          + (removed.isEmpty ? "" : "; taken out of it: \(removed)"), kind: .storeReturned)
    }
    let own = sockets.all.count { $0.origin == .opened }
    let isTooSmall = unit.environment.isTooSmall(for: own)
    guard own > 0 else { return }
    log.log(
      isTooSmall ? .warning : .info,
      unit.environment.storeText(listeners: own, hasReturned: unit.hasReturned))
  }
}

// What is known, for people.
extension UnitEnvironment {
  fileprivate var startText: String {
    guard notifySocket != nil else { return "nobody is told how the daemon does (no NOTIFY_SOCKET)" }
    return role == .mainProcess
      ? "systemd started the daemon and is told how it does"
      : "whoever set NOTIFY_SOCKET is told how the daemon does"
  }

  fileprivate func isTooSmall(for listeners: Int) -> Bool {
    if case .room(let room) = store, mayStore { room < listeners } else { false }
  }

  /// - Parameter listeners: those that are meant for the store.
  fileprivate func storeText(listeners: Int, hasReturned: Bool) -> String {
    guard notifySocket != nil, role == .mainProcess else {
      return "listeners end with the daemon: it is no unit's main process, and has no descriptor store"
    }
    let count = listeners == 1 ? "1 listener" : "\(listeners) listeners"
    switch store {
    case .off:
      return "the unit's descriptor store is off: listeners end with the daemon (FileDescriptorStoreMax=)"
    case .untold where hasReturned: return "\(count) kept in the unit's descriptor store"
    case .untold:
      return
        "\(count) kept in the unit's descriptor store, if that is on (FileDescriptorStoreMax=); systemd does not say"
    case .room(let room) where room < listeners:
      return
        "the unit's descriptor store has room for \(room), and there are \(count): raise FileDescriptorStoreMax="
    case .room(let room): return "\(count) kept in the unit's descriptor store, which has room for \(room)"
    }
  }
}
