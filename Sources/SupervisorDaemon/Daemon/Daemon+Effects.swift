// Carries out what the machines want. One case, one call; nothing is decided here.

import Glibc
import Supervisor

extension Daemon {
  /// Hands a fact to a service's machine.
  ///
  /// Facts are taken one after the other: one that comes up while effects are carried out waits until they
  /// all are.
  func deliver(_ event: ServiceEvent, to service: Int) {
    pendingEvents.append((service, event))
    pump()
  }

  /// Carries out what a request to the graph led to, then what follows from that.
  func perform(_ actions: [ServiceGraph.Action]) {
    let isOutermost = !isPumping
    isPumping = true
    for action in actions { perform(action.effect, for: action.service) }
    for service in Set(actions.map(\.service)) { noteState(of: service) }
    if isOutermost {
      isPumping = false
      pump()
    }
  }

  private func pump() {
    guard !isPumping else { return }
    isPumping = true
    while !pendingEvents.isEmpty {
      let (service, event) = pendingEvents.removeFirst()
      let actions = graph.handle(event, for: service, at: Clock.now())
      for action in actions { perform(action.effect, for: action.service) }
      noteState(of: service)
      for other in Set(actions.map(\.service)) where other != service { noteState(of: other) }
    }
    isPumping = false
    afterEvents()
  }

  private func perform(_ effect: ServiceEffect, for service: Int) {
    let runtime = runtimes[service]
    switch effect {
    case .verify: verifyWhenFilesAreQuiet(service)
    case .launch(let generation): launch(service, generation: generation)
    case .signalMain(let signal): signalMain(signal, of: runtime)
    case .scan: tell(strays(of: service), of: service)
    case .terminateStrays(let strays):
      report(sweeper(of: service).terminate(strays.map(\.identity)), for: runtime)
    case .watchStrays(let strays): sweeper(of: service).attend(strays.map(\.identity))
    case .killStrays: killStrays(of: service)
    case .killStraysBut(let spared): killStrays(of: service, sparing: Set(spared))
    case .takePorts(let strays):
      deliver(.parted(generation: generation(of: service), takePorts(from: strays, of: service)), to: service)
    case .retain(let generation, let strays): retain(generation, strays, of: service)
    case .probePorts:
      deliver(.probed(generation: generation(of: service), portsListening(of: service)), to: service)
    case .arm(let instant): arm(instant, for: service)
    case .disarm: runtime.timer = nil
    case .nameOccupants: searchOccupants(of: service)
    case .watchOccupants(let occupants): watch(occupants, for: service)
    case .forgetOccupants:
      runtime.occupants = []
      runtime.occupantSearch = nil
    case .redefine:
      runtime.redefine(graph.machines[service].definition)
      if runtime.files != nil || graph.isWanted(service) { watchFiles(of: service) }
    case .settle(let settlement): settle(settlement, service)
    case .log(let level, let kind, let message): log(level, kind, service: service, message)
    }
  }

  func generation(of service: Int) -> Int { graph.machines[service].generation }

  func log(_ level: LogLevel, _ kind: EventKind? = nil, service: Int, _ message: String) {
    let runtime = runtimes[service]
    let machine = graph.machines[service]
    log.log(
      level, service: runtime.definition.name, generation: machine.generation, pid: machine.state.pid,
      message,
      lines: level <= .warning ? runtime.takeUnsaidLines() : [], kind: kind)
    announce(service, message)
  }

  private func arm(_ instant: Instant, for service: Int) {
    do throws(SystemError) {
      runtimes[service].timer = try loop.timer(at: instant, priority: .processes) { [weak self] in
        self?.runtimes[service].timer = nil
        self?.deliver(.timerFired, to: service)
      }
    } catch {
      log.log(.error, service: runtimes[service].definition.name, "\(error)")
    }
  }

  private func signalMain(_ signal: Int32, of runtime: ServiceRuntime) {
    guard let main = runtime.main else { return }
    do throws(SystemError) {
      _ = try main.pidfd.send(signal)
      // A stopped process takes no notice of anything but SIGKILL until it is continued.
      if signal != SIGKILL { _ = try main.pidfd.send(SIGCONT) }
    } catch {
      report([error], for: runtime)
    }
  }

  /// By pidfd from here, and by the keeper, which needs neither descriptors nor to see more than its children.
  private func killStrays(of service: Int) {
    let runtime = runtimes[service]
    let round =
      killCgroup(of: service)
      ?? sweeper(of: service).killAll(main: runtime.main) { visitor in
        if let roots = roots(of: service) { Descendants.visit(roots, visitor) }
      }
    runtime.keeper?.sweep()
    report(round.refusals, for: runtime)
    let strays = describe(round.found, of: service).map { stray in
      var stray = stray
      stray.refusal = round.refusals[stray.identity].map { SystemError.text($0.code) }
      return stray
    }
    tell(strays, of: service)
  }

  /// One by one: neither the cgroup, nor the process group, nor the keeper knows whom to spare.
  private func killStrays(of service: Int, sparing spared: Set<ProcessIdentity>) {
    guard let roots = roots(of: service) else { return tell([], of: service) }
    let round = sweeper(of: service).killAll(main: nil) { visitor in
      var below: Set<Int32> = []
      Descendants.visit(roots) { descendant in
        let isSpared = spared.contains(descendant.stat.identity) || below.contains(descendant.stat.parent)
        if isSpared { below.insert(descendant.stat.pid) } else { visitor(descendant) }
      }
    }
    report(round.refusals, for: runtimes[service])
    let met = Set(round.found.map(\.stat.identity))
    let others = descendants(of: service).filter { !met.contains($0.stat.identity) }
    let strays = describe(round.found + others, of: service).map { stray in
      var stray = stray
      stray.refusal = round.refusals[stray.identity].map { SystemError.text($0.code) }
      return stray
    }
    tell(strays, of: service)
  }

  /// Where no keeper and no SIGCHLD tells that nobody is left, a look has to.
  private func tell(_ strays: [Stray], of service: Int) {
    let generation = generation(of: service)
    if runtimes[service].adopted == .elsewhere, strays.isEmpty {
      return finishGeneration(service, generation)
    }
    deliver(.scanned(generation: generation, strays), to: service)
    lookAtRemnant(service)
  }

  func sweeper(of service: Int) -> Sweeper {
    if let sweeper = runtimes[service].sweeper { return sweeper }
    let generation = generation(of: service)
    let sweeper = Sweeper(loop: loop) { [weak self] pid in
      self?.deliver(.strayExited(generation: generation, pid: pid), to: service)
    }
    runtimes[service].sweeper = sweeper
    return sweeper
  }

  /// Each once in a generation: it is tried again and again.
  private func report(_ refusals: Sweeper.Refusals, for runtime: ServiceRuntime) {
    let new = refusals.filter { runtime.reportedRefusals.insert($0.key).inserted }
    report(new.values.prefix(Self.reportedRefusals).map { $0 }, for: runtime)
  }

  /// Refusals of one round that are logged; the message of a blocked service names some, too.
  private static let reportedRefusals = 8

  func report(_ errors: [SystemError], for runtime: ServiceRuntime) {
    for error in errors { log.log(.warning, service: runtime.definition.name, "\(error)") }
  }

  /// Tells who waits that the service came to rest or runs.
  private func settle(_ settlement: Settlement, _ service: Int) {
    let runtime = runtimes[service]
    switch settlement {
    case .running:
      if runtime.definition.survive { runtime.keeper?.noteReady() }
      runtime.lastLines = []
      lookForStrangersSoon(service)
      lookForLeaks(of: service, after: Self.leakDelays)
    case .failed, .stopped: cgroups.release(service: runtime.definition.name)
    case .backingOff, .blocked: break
    }
    unit.startup?.note(service)
    statusChanged()
    let waiters = runtime.waiters
    runtime.waiters = []
    for waiter in waiters { waiter(settlement) }
    logReport(settlement, of: runtime)
  }

  /// The report of a relaunch or a stop, below its line; the strays have lines of their own.
  private func logReport(_ settlement: Settlement, of runtime: ServiceRuntime) {
    if log.isConsole { return logBriefly(settlement, of: runtime) }
    let report: RelaunchReport
    switch settlement {
    case .running(let running): report = running
    case .stopped(let stopped?): report = stopped
    case .stopped(nil), .failed, .backingOff, .blocked: return
    }
    guard report.stopped != nil, log.threshold >= .info else { return }
    log.log(
      .info, service: runtime.definition.name, generation: report.generation, pid: report.pid,
      "what was found and done", lines: ReportText.details(report).map { String($0.dropFirst(2)) },
      kind: .relaunchReport)
  }

  /// One line for people at a desk.
  private func logBriefly(_ settlement: Settlement, of runtime: ServiceRuntime) {
    guard case .running(let report) = settlement else { return }
    log.log(
      .info, service: runtime.definition.name, generation: report.generation, pid: report.pid,
      BriefReport.line(report))
  }

  private func noteState(of service: Int) {
    let state = graph.publicState(of: service).0
    guard state != runtimes[service].lastPublicState else { return }
    runtimes[service].lastPublicState = state
    statusChanged()
    runtimes[service].since = Clock.wallClock()
  }
}
