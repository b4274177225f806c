// What daemons before this one left: their keepers are met, and each generation is taken over or ended.

import Supervisor

extension Daemon {
  /// Before anything is launched: every service learns what is left of it.
  func takeOver(_ survivors: [Survivor]) {
    var outdated: [Int] = []
    // Of several keepers of one service the youngest counts; the others go.
    for survivor in survivors.sorted(by: { $0.left.generation > $1.left.generation }) {
      for remark in survivor.remarks { log.log(.warning, remark) }
      if let socket = survivor.takeNotifySocket() {
        do throws(SystemError) { try notify.join(socket, loop: loop) } catch { log.log(.warning, "\(error)") }
      }
      if let service = service(named: survivor.left.service), runtimes[service].keeper == nil {
        if takeOver(survivor, service) == .isRelaunched { outdated.append(service) }
      } else {
        endLeftover(survivor)
      }
    }
    if outdated.isEmpty { return }
    perform(graph.restart(outdated.sorted(), at: Clock.now()))
  }

  private func takeOver(_ survivor: Survivor, _ service: Int) -> LeftGeneration.Fate {
    let runtime = runtimes[service]
    let left = survivor.left
    adoptCgroup(of: service, generation: left.generation)
    let fate = left.fate(wanted: fingerprint(of: runtime.definition))
    runtime.keeper = survivor.keeper
    runtime.main = survivor.keeper.main
    do throws(SystemError) {
      if let output = survivor.takeOutput() { try runtime.log.takeOver(output) }
      try listenToFormer(survivor.keeper, of: service)
      if let filter = survivor.takeFilter() { try answerBinds(of: service, filter) }
    } catch {
      report([error], for: runtime)
    }
    let age =
      ProcessTable.stat(of: survivor.keeper.pid).map { ProcessTable.age(ofStartTime: $0.startTime) } ?? .zero
    if fate == .isEnded {
      survivor.keeper.sweep()
      deliver(.leftBehind(left), to: service)
      return fate
    }
    deliver(.adopted(left, age: age), to: service)
    if let exit = left.exit { deliver(.mainExited(generation: left.generation, exit), to: service) }
    runtime.since = Clock.wallClock() - age.milliseconds / 1000
    if fate == .isRelaunched {
      log(.notice, service: service, "its definition changed while there was no daemon: it is relaunched")
    }
    return fate
  }

  /// From here on a keeper that is not our child is heard, and its end is seen.
  func listenToFormer(_ keeper: Keeper, of service: Int) throws(SystemError) {
    if keeper.pid > 0 { keepers[keeper.pid] = service }
    runtimes[service].keeperConnection = try loop.watch(keeper.connection, priority: .processes) {
      [weak self] events in
      self?.hear(service)
      if events.contains(.hungUp) { self?.formerKeeperEnded(service) }
    }
    try watchMain(of: service)
  }

  func fingerprint(of definition: ServiceDefinition) -> UInt64 {
    DefinitionFingerprint(of: definition, sockets: configuration.sockets).value
  }

  /// A keeper that is not our child may be stopped without our hearing of it: it would not reap the main process.
  private func watchMain(of service: Int) throws(SystemError) {
    let runtime = runtimes[service]
    guard let main = runtime.main else { return }
    runtime.mainSource = try loop.watch(main.pidfd.descriptor.number, priority: .processes) { [weak self] _ in
      runtime.mainSource = nil
      guard let self, let keeper = runtime.keeper, !keeper.isChild else { return }
      do throws(SystemError) { try keeper.resume() } catch { self.report([error], for: runtime) }
    }
  }

  /// The connection to a keeper that is not our child ended: so did the keeper, with the proof that nobody is left, or
  /// without it.
  private func formerKeeperEnded(_ service: Int) {
    let runtime = runtimes[service]
    guard let keeper = runtime.keeper, !keeper.isChild else { return }
    hear(service)
    keepers[keeper.pid] = nil
    keeper.removeDoor()
    runtime.keeperConnection = nil
    runtime.mainSource = nil
    runtime.keeper = nil
    if keeper.hasEmptied { return finishGeneration(service, keeper.generation) }
    runtime.adopted = .elsewhere
    log(.error, .keeperLost, service: service, lossText(service))
    deliver(.keeperLost(generation: keeper.generation), to: service)
  }

  private func lossText(_ service: Int) -> String {
    let text = "its keeper was killed, and was no child of this daemon"
    return runtimes[service].cgroup == nil ? text + ": who had left its main process can't be found" : text
  }

  /// Where to look for those below such a keeper: they are with a subreaper above the daemon that died, or with PID 1.
  ///
  /// Its cgroup has them all. Without one there is only the main process, while it is that one, and who is below it.
  func lostRoots(of service: Int) -> [Int32] {
    let roots = cgroupRoots(of: service)
    guard let main = runtimes[service].main?.livingPID, !roots.contains(main) else { return roots }
    return roots + [main]
  }

  /// A keeper that nobody of the configuration wants: it ends by itself, and is watched until then.
  private func endLeftover(_ survivor: Survivor) {
    let keeper = survivor.keeper
    if retainIfWanted(survivor) { return }
    let name = "\(ProcessTable.printable(survivor.left.service))/\(survivor.left.generation)"
    log.log(
      .notice, "\(name), which a daemon before this one launched, is not in the configuration: it is ended",
      kind: .leftoverEnded)
    end(keeper, name)
  }

  /// The older one of several keepers of a service has strays that were to live on, and may.
  private func retainIfWanted(_ survivor: Survivor) -> Bool {
    let left = survivor.left
    guard let service = service(named: left.service), runtimes[service].definition.maySpare,
      left.intent == .held, left.exit != nil
    else { return false }
    let cgroup = adoptCgroup(ofRetained: left.generation, of: service)
    let retained = RetainedGeneration(survivor.keeper, [], nil, cgroup)
    watch(retained, of: service)
    log.log(
      .notice, service: left.service, generation: left.generation,
      "strays of generation \(left.generation) live on below their keeper", kind: .takenOver)
    return true
  }

  /// The keeper ends everybody below it, and is watched until then.
  func end(_ keeper: Keeper, _ name: String, holding retained: RetainedGeneration? = nil) {
    keeper.sweep()
    do throws(SystemError) {
      let source = try loop.watch(keeper.connection, priority: .processes) { [weak self] events in
        while keeper.receive() != nil {}
        if events.contains(.hungUp) { self?.leftoverEnded(keeper, name) }
      }
      leftovers[name] = Leftover(keeper: keeper, source: source, retained: retained)
    } catch {
      log.log(.error, "\(name) is told to end; \(error)")
    }
  }

  private func leftoverEnded(_ keeper: Keeper, _ name: String) {
    while keeper.receive() != nil {}
    keeper.removeDoor()
    if let cgroup = leftovers[name]?.retained?.cgroup { _ = cgroups.remove(cgroup) }
    leftovers[name] = nil
    sweepCgroup(leftBy: keeper)
    afterEvents()
    if keeper.hasEmptied {
      log.log(.notice, "\(name) is gone")
    } else {
      log.log(
        .error,
        "\(name): its keeper was killed; what was below it can be found in its cgroup only, if it had one",
        kind: .keeperLost)
    }
    // A service that waits for it looks at once.
    if let service = service(named: keeper.request.service) { deliver(.occupantExited, to: service) }
  }

  /// It is nobody's any more; who is in it although the keeper is gone is killed, and awaited before a launch.
  private func sweepCgroup(leftBy keeper: Keeper) {
    let name = keeper.request.service
    let groups = cgroups.abandoned.filter { $0.service == name && $0.generation == keeper.generation }
    let left = groups.filter { $0.group.remove() == .populated }
    for remains in left {
      log.log(
        .warning, service: name, "\(AbandonedSweep.describe(remains)) is left: SIGKILL", kind: .straySwept)
      do throws(SystemError) { try remains.group.kill() } catch { log.log(.warning, "\(error)") }
    }
    if !left.isEmpty { abandoned[name, default: []] += left }
  }

  /// Why a service can't be launched: an older keeper than the one that counts is still there.
  func leftover(of service: Int) -> String? {
    let name = runtimes[service].definition.name
    return leftovers.values.first { $0.keeper.request.service == name }.map {
      "generation \($0.keeper.generation) is not gone (keeper pid \($0.keeper.pid))"
    }
  }
}

/// A keeper that belongs to no service of ours, until it is gone.
final class Leftover {
  let keeper: Keeper
  /// What it was of a service of ours before that; nil for one that another daemon launched.
  let retained: RetainedGeneration?
  private let source: EventSource

  init(keeper: Keeper, source: EventSource, retained: RetainedGeneration?) {
    self.keeper = keeper
    self.retained = retained
    self.source = source
  }

  // Before the keeper goes, whose connection it watches.
  deinit { source.cancel() }
}
