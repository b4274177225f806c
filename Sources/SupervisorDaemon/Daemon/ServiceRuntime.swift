// What the operating system has for one service: keeper, timer, log, watches. The decisions are in its machine.

import Supervisor

/// The side of one service that touches the system.
final class ServiceRuntime {
  /// The one in force.
  private(set) var definition: ServiceDefinition
  let log: ServiceLog
  /// The keeper of the current generation, until its exit was seen.
  var keeper: Keeper?
  var keeperConnection: EventSource?
  /// The main process of the current generation; kept while its tree is swept.
  var main: Keeper.MainProcess?
  /// Answers the bind(2) calls of the current generation.
  var interception: Interception?
  /// What was said of them in this generation.
  var interceptionRemarks: Set<String> = []
  /// The sockets that this generation bound.
  var claimedSockets: Set<String> = []
  /// When it is over, discovered sockets that this generation did not bind are closed.
  var discoveryTimer: EventSource?
  /// Its keeper was killed: what it kept is a child of the daemon now, or of somebody else.
  var adopted: Adopted = .no
  /// Tells of the main process's death when the keeper is not our child.
  var mainSource: EventSource?
  /// The cgroup of the current generation, until it was removed; nil where none was delegated.
  var cgroup: GenerationGroup?
  var cgroupKill = CgroupKill.notTried
  /// The keeper is gone, and yet somebody is in the cgroup.
  var remnant = Remnant.no
  /// What was told of missing cgroups and limits: once is enough.
  var cgroupRemark: String?
  var timer: EventSource?
  /// Changes of files that restart it.
  var files: FileWatch?
  var restartLoop = RestartLoop()
  /// The files are still changing for which it is being restarted.
  var isAheadOfBurst = false
  /// The next launch waits until they are quiet.
  var heldVerification = HeldVerification.no
  /// Why there is no watch: once is enough.
  var watchRemark: String?
  var sweeper: Sweeper?
  /// Strays of this generation of whom it was logged that they can't be signalled.
  var reportedRefusals: Set<ProcessIdentity> = []
  /// What was found out about strays of this generation; a look is taken often, and costs more than they do.
  var describedStrays: [ProcessIdentity: Stray] = [:]
  /// Generations that are over, and of whom somebody lives on.
  var retained: [RetainedGeneration] = []
  /// Foreign processes that have a guarded port.
  var occupants: [OccupantWatch] = []
  /// The walk that finds them, or looks for strangers with our listener.
  var occupantSearch: HolderSearch?
  var strangerSearch: HolderSearch?
  var strangerTimer: EventSource?
  /// The next look for processes that only inherited a listener.
  var leakTimer: EventSource?
  /// Of this generation somebody was named already.
  var saidLeak = false
  /// Processes that are not ours and hold a listener of this service: one line each.
  var strangers: [String] = []
  /// What the service said about itself, sd_notify(3) STATUS=.
  var statusText: String?
  /// Who waits for the next settlement.
  var waiters: [(Settlement) -> Void] = []
  /// When it came into its public state, seconds since 1970.
  var since: Double
  var lastPublicState = PublicState.stopped
  /// The last output, kept when a launch fails.
  var lastLines: [String] = [] {
    didSet { unsaidLines = lastLines }
  }
  /// Those that no message has told yet.
  private(set) var unsaidLines: [String] = []

  /// After the replacement of a daemon: what was said stays said.
  func restore(lastLines: [String], unsaid: [String]) {
    self.lastLines = lastLines
    unsaidLines = unsaid
  }

  enum Adopted: String { case no, yes, elsewhere }
  enum HeldVerification { case no, held }
  enum CgroupKill { case notTried, tried }
  enum Remnant { case no, yes }

  /// The last lines, once: they belong to the first message that tells of the failure.
  func takeUnsaidLines() -> [String] {
    defer { unsaidLines = [] }
    return log.isOnConsole ? [] : unsaidLines
  }

  /// The machine took over a new definition.
  func redefine(_ definition: ServiceDefinition) {
    log.redefine(definition.log)
    self.definition = definition
  }

  convenience init(definition: ServiceDefinition, logs: LogContext) {
    let log = ServiceLog(service: definition.name, definition: definition.log, in: logs)
    self.init(definition: definition, log: log, since: Clock.wallClock())
  }

  init(definition: ServiceDefinition, log: ServiceLog, since: Double) {
    self.definition = definition
    self.log = log
    self.since = since
  }
}

/// A foreign process on a guarded port, watched until it ends.
final class OccupantWatch {
  private let pidfd: PidFD
  private var source: EventSource?

  init(_ identity: ProcessIdentity, loop: EventLoop, onExit: @escaping () -> Void) throws(SystemError) {
    pidfd = try PidFD.open(identity)
    source = try loop.watch(pidfd.descriptor.number) { [weak self] _ in
      self?.source?.cancel()
      onExit()
    }
  }

  deinit { source?.cancel() }
}
