// The daemon: owns the world and ties its parts together. It contains no decision: those are in Services/.

import CLinux
import Glibc
import Supervisor

/// One supervisor: a configuration, its sockets, its services, and the loop that they live in.
package final class Daemon {
  let loop: EventLoop
  /// Replaced by a reload.
  var configuration: Configuration
  let logs: LogContext
  let log: DaemonLog
  let sockets: OwnedSockets
  let cgroups: CgroupTree
  /// Generations of a former daemon that did not die of SIGKILL, by service.
  var abandoned: [String: [AbandonedGeneration]]
  let socketTable = SocketTable()
  let devNull: FileDescriptor
  let programs: OwnPrograms
  /// "NAME=value" of the daemon, without what was meant for it alone.
  let environment: [String]
  /// RLIMIT_NOFILE as it was at the start: the daemon raises its own, services get this one.
  let descriptorLimit: LimitDefinition?
  let ownPID = getpid()
  /// What a successor has to know of the start, and of the configuration as it was read.
  var origin: DaemonOrigin

  /// Hears of everything: a run at a desk; nil for a daemon of a machine.
  weak var observer: (any DaemonObserver)?

  /// Whoever started the daemon and wants to be told, sd_notify(3).
  let unit: UnitLink
  var graph: ServiceGraph
  var runtimes: [ServiceRuntime]
  /// The reload of the configuration that is under way, and those that wait for it.
  var reload: Reload?
  var waitingReloads: [Reload.Request] = []
  /// The service of each keeper that was not reaped yet, by the keeper's pid.
  var keepers: [Int32: Int] = [:]
  /// Likewise, of those whose generations are over and who are above strays that live on.
  var retainedKeepers: [Int32: Int] = [:]
  /// Keepers that no service wants, by what they keep.
  var leftovers: [String: Leftover] = [:]
  /// Where the keepers of this daemon are found by the next one.
  let keeperFolder: KeeperFolder
  /// Children that are no keepers of services, and what to do when they were reaped.
  var otherChildren: [Int32: () -> Void] = [:]
  var pendingEvents: [(service: Int, event: ServiceEvent)] = []
  var isPumping = false
  var shutdown = Shutdown.notAsked
  /// A successor that shows whether it can take over.
  var rehearsal: Rehearsal?
  /// Why no filter could be installed, an errno that the log has told.
  var interceptionObstacle: Int32?

  let notify: NotifySocket
  var einhorn: EinhornSocket?
  private(set) var control: ControlServer?
  private let beginning: Beginning
  /// Calls and searches that are under way.
  var requests = OpenRequests()
  private var signals: [EventSource] = []
  /// How long the end of the daemon waits for keepers that no service wants.
  var leftoverTimer: LeftoverTimer = .unset
  /// Those of daemons before this one, until they are taken over.
  private var survivors: [Survivor] = []

  /// How many of the last lines of a service are part of a failure's message.
  static let lastLineCount = 10
  /// A process is at most this deep below its keeper.
  static let longestLineage = 512
  /// Descriptors that launches leave for control connections, walks and reports.
  static let reservedDescriptors: Int32 = 16
  /// After that time what only the start needed is given back.
  static let startupEnds: Duration = .seconds(1)
  /// How long after a relaunch strangers are looked for.
  static let strangerDelay: Duration = .seconds(1)

  /// When a generation is looked at for processes that only inherited a listener: counted from readiness, then from
  /// look to look.
  static let leakDelays: [Duration] = [.seconds(1), .seconds(9), .seconds(50)]

  /// Between the end of all services and that of the daemon: keepers sweep within `stray_timeout` and a moment.
  static let leftoverPatience: Duration = .seconds(10)

  enum LeftoverTimer { case unset, armed(EventSource), over }
  enum Shutdown { case notAsked, underWay, hurried, done }

  /// Whether `run` starts the services, or goes on with those of the program before.
  private enum Beginning { case start, takeover }

  /// Takes over the world: nothing of it is touched before the control socket is ours.
  init(
    loop: EventLoop, configuration: Configuration, logs: LogContext, control: String,
    activation: SocketActivation, programs: OwnPrograms, origin: DaemonOrigin
  ) throws {
    beginning = .start
    self.origin = origin
    self.loop = loop
    self.configuration = configuration
    self.logs = logs
    self.programs = programs
    log = logs.log
    unit = UnitLink(loop: loop)
    let calls = CallForwarder()
    let log = logs.log
    let server = try ControlServer(
      loop: loop, path: control, group: configuration.daemon.controlGroup, log: { log.log(.warning, $0) },
      onCall: { calls.receive($0) })
    cgroups = CgroupTree(Delegation.find())
    // Outside of a unit there is nothing to be delegated, and nothing worth a line.
    let isExpected = cgroups.isOffered || unit.environment.role == .mainProcess
    log.log(isExpected ? .info : .debug, cgroups.description)
    do {
      let left = try SurvivorStartup(besides: control, log: log)
      (keeperFolder, survivors) = (left.folder, left.survivors)
      // Before the sockets, whose addresses they may have: who was left behind, and is below no keeper that was met.
      abandoned = AbandonedSweep.run(cgroups, claimed: left.claims, log: log)
      sockets = try SocketStartup.open(
        configuration.sockets, activation: activation.adding(left.listeners), log: log)
      devNull = try FileDescriptor.open("/dev/null", O_RDWR)
      notify = try NotifySocket(loop: loop, path: control + ".notify", former: left.takeNotifySocket()) {
        calls.receive($0)
      }
      environment = currentEnvironment()
      descriptorLimit = DescriptorLimit.raise()
    } catch {
      server.close()
      throw error
    }
    self.control = server
    graph = ServiceGraph(
      definitions: configuration.services, seed: Clock.now().nanoseconds ^ UInt64(getpid()))
    runtimes = configuration.services.map { ServiceRuntime(definition: $0, logs: logs) }
    calls.daemon = self
  }

  /// Takes the place of the program before, whose descriptors are still open, and says nothing yet.
  init(
    restoring state: HandoverState, loop: EventLoop, configuration: Configuration, logs: LogContext,
    programs: OwnPrograms, fallBack: FallBack
  ) {
    beginning = .takeover
    origin = state.origin
    unit = UnitLink(loop: loop)
    unit.hasReturned = state.hasReturned
    self.loop = loop
    self.configuration = configuration
    self.logs = logs
    self.programs = programs
    log = logs.log
    let calls = CallForwarder()
    let log = logs.log
    control = ControlServer(
      restoring: state.control, loop: loop, isForGroup: configuration.daemon.controlGroup != nil,
      log: { log.log(.warning, $0) }, onCall: { calls.receive($0) })
    cgroups = CgroupTree(Delegation.find())
    // The generations are all in the state: nobody is left over from somebody else.
    abandoned = [:]
    sockets = OwnedSockets(definitions: configuration.sockets, restoring: state.listeners)
    devNull = fallBack.certainly { try FileDescriptor.open("/dev/null", O_RDWR) }
    notify = fallBack.certainly { try NotifySocket(restoring: state.notify) { calls.receive($0) } }
    let folder = fallBack.certainly { try KeeperFolder(path: state.control.socket.path + ".keepers") }
    keeperFolder = folder
    environment = currentEnvironment()
    descriptorLimit = state.descriptorLimit
    graph = ServiceGraph(
      definitions: configuration.services, restoring: state.graph,
      seed: Clock.now().nanoseconds ^ UInt64(getpid()))
    runtimes = configuration.services.map {
      ServiceRuntime($0, restoring: state.services[$0.name], in: logs, folder)
    }
    for pid in state.otherChildren { otherChildren[pid] = {} }
    calls.daemon = self
  }

  /// Runs until it is told to end; returns the exit status.
  package func run() throws(SystemError) -> Int32 {
    if beginning == .start { try start() }
    let tidy = try loop.timer(at: Clock.now() + Self.startupEnds, priority: .logs) {
      cl_release_startup_pages()
    }
    defer { tidy.cancel() }
    let status = try loop.run()
    end()
    return status
  }

  /// Signals, and the place above those whose keeper is killed.
  func beginListening() throws(SystemError) {
    // A killed keeper's tree comes to us, not to PID 1.
    if cl_become_subreaper() == -1 { throw SystemError("become a subreaper") }
    signals = [
      try loop.signal(SIGCHLD, priority: .processes) { [weak self] in self?.reap() },
      try loop.signal(SIGTERM) { [weak self] in self?.beginShutdown(because: "SIGTERM") },
      try loop.signal(SIGINT) { [weak self] in self?.beginShutdown(because: "SIGINT") },
      try loop.signal(SIGHUP) { [weak self] in self?.hungUp() },
    ]
  }

  /// The terminal of a run is gone; any other daemon is asked to read its configuration again.
  private func hungUp() {
    if observer != nil { return beginShutdown(because: "SIGHUP") }
    reloadConfiguration(.init(because: "SIGHUP"))
  }

  private func start() throws(SystemError) {
    try beginListening()
    for remark in sockets.remarks { log.log(.notice, remark, kind: .socketRemark) }
    log.log(
      .info,
      "supervising \(Text.counted(configuration.services.count, "service")) with "
        + Text.counted(configuration.sockets.count, "socket"), kind: .daemonStarted)
    tellOfStore()
    keepListeners()
    feedWatchdog()
    takeOver(survivors)
    survivors = []
    watchFilesOfAll()
    begin(runtimes.indices.filter { runtimes[$0].definition.autostart })
  }

  /// Stops everything in order; asked a second time, at once.
  func beginShutdown(because reason: String) {
    switch shutdown {
    case .notAsked:
      shutdown = .underWay
      log.log(.notice, "\(reason): stopping all services", kind: .daemonStopping)
      tellSystemdOfStop()
      for service in graph.present { endRetained(of: service, because: "the daemon stops") }
      endWatches()
      perform(graph.stop(graph.present, at: Clock.now()))
      afterEvents()
    case .underWay:
      shutdown = .hurried
      log.log(.warning, "\(reason) again: killing what is left")
      perform(graph.hurry(at: Clock.now()))
      afterEvents()
    case .hurried, .done: break
    }
  }

  /// After every round of events: perhaps that was all.
  func afterEvents() {
    sayReadyInTime()
    advanceReload()
    observer?.eventsHandled(of: self)
    guard shutdown == .underWay || shutdown == .hurried, graph.isAtRest, leftoversAreDone else { return }
    shutdown = .done
    loop.exit(observer?.exitStatus(of: self) ?? 0)
  }

  private func end() {
    let unkillable = graph.machines.filter(\.isUnkillable).map(\.definition.name)
    if !unkillable.isEmpty {
      log.log(.error, "left behind, unkillable: \(unkillable.joined(separator: ", "))", kind: .unkillable)
    }
    for remark in sockets.closeAll(unit.store == nil ? .removingPath : .handedOn) {
      log.log(.warning, remark, kind: .socketRemark)
    }
    for runtime in runtimes { cgroups.release(service: runtime.definition.name) }
    requests.endAll()
    control?.close()
    keeperFolder.removeIfEmpty()
    log.log(.info, "stopped", kind: .daemonStopped)
    log.flush()
  }
}

/// Hands calls on to a daemon that is not there yet when the server is made.
private final class CallForwarder {
  weak var daemon: Daemon?

  func receive(_ call: ControlCall) {
    guard let daemon else { return call.fail(.failed, "the daemon is starting") }
    daemon.answer(call)
  }

  func receive(_ message: NotifySocket.Message) { daemon?.notified(message) }
}
