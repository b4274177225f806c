// From `launch` to what the keeper says, and the reaping of everybody who is a child of ours.

import CLinux
import Glibc
import Supervisor

extension Daemon {
  func launch(_ service: Int, generation: Int) {
    let runtime = runtimes[service]
    runtime.mainSource = nil
    runtime.main = nil
    runtime.sweeper = nil
    runtime.reportedRefusals = []
    runtime.describedStrays = [:]
    runtime.strangers = []
    runtime.leakTimer = nil
    runtime.saidLeak = false
    runtime.statusText = nil
    runtime.claimedSockets = []
    runtime.discoveryTimer = nil
    watchFiles(of: service)
    do {
      try leaveHeadroom()
      let all = runtime.definition.sockets.flatMap { sockets.listeners(of: $0) }
      // What was discovered its program does not expect before it binds it.
      let listeners = all.filter { !sockets.isDiscovered($0.socket) }
      if let lost = all.first(where: { !$0.isOpen }) {
        throw StartupError(
          description: "socket \"\(lost.socket)\" (\(lost.address)) is lost; it is opened anew when it can be"
        )
      }
      var request = try LaunchPreparation.request(
        for: runtime.definition, generation: generation,
        context: try launchContext(runtime.definition, listeners)
      )
      if let limit = descriptorLimit, !request.limits.contains(where: { $0.resource == limit.resource }) {
        request.limits.append(limit)
      }
      if runtime.definition.survive {
        request.survival = .held(fingerprint: fingerprint(of: runtime.definition))
      }
      let output = try runtime.log.descriptorForLaunch()
      let given =
        runtime.definition.usesTerminal
        ? [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
          + descriptors(for: runtime.definition.pass, output.number, listeners).dropFirst(3)
        : descriptors(for: runtime.definition.pass, output.number, listeners)
      let keeper = try makeKeeper(
        request, given, belongings(for: runtime, listeners),
        makeCgroup(of: service, generation: generation))
      try listen(to: keeper, of: service)
    } catch {
      let keeper: LaunchFailure.Keeper = runtime.keeper == nil ? .none : .exiting
      if keeper == .none { _ = leaveCgroup(of: service) }
      deliver(
        .launchFailed(generation: generation, LaunchFailure(message: launchMessage(error), keeper: keeper)),
        to: service)
    }
  }

  private func makeKeeper(
    _ request: LaunchRequest, _ descriptors: [CInt], _ belongings: Keeper.Belongings,
    _ cgroup: GenerationGroup?
  ) throws -> Keeper {
    func make(in cgroup: CInt?) throws -> Keeper {
      try Keeper(
        program: programs.keeper, request: request, descriptors: descriptors, belongings: belongings,
        cgroup: cgroup)
    }
    guard let cgroup else { return try make(in: nil) }
    return try cgroup.withDescriptor { try make(in: $0) }
  }

  /// From here on the keeper is heard, and known when it is reaped.
  func listen(to keeper: Keeper, of service: Int) throws(SystemError) {
    let runtime = runtimes[service]
    runtime.keeper = keeper
    keepers[keeper.pid] = service
    runtime.keeperConnection = try loop.watch(keeper.connection, priority: .processes) { [weak self] events in
      self?.hear(service)
      if events.contains(.hungUp) { runtime.keeperConnection?.cancel() }
    }
  }

  /// What the main process gets, from descriptor 0 on.
  private func descriptors(for mode: PassMode, _ output: CInt, _ listeners: [Listener]) -> [CInt] {
    switch mode.descriptors {
    case .fromThree: [devNull.number, output, output] + listeners.map(\.number)
    case .atBind: [devNull.number, output, output]
    case .standardStreams: listeners.flatMap { [$0.number, $0.number] } + [output]
    }
  }

  /// What its keeper holds for the next daemon, when that is to take the service over.
  private func belongings(for runtime: ServiceRuntime, _ listeners: [Listener]) -> Keeper.Belongings {
    var result = Keeper.Belongings(folder: keeperFolder)
    guard runtime.definition.survive else { return result }
    if runtime.definition.readiness == .notify { result.notify = notify.number }
    result.output = runtime.log.readingEnd
    // What is not among the descriptors from 3 on, of which the keeper keeps its own.
    if runtime.definition.pass.descriptors != .fromThree { result.listeners = listeners.map(\.number) }
    return result
  }

  /// Launches stop before descriptors run out: people must still be able to ask what is wrong, and to stop something.
  private func leaveHeadroom() throws(SystemError) {
    if cl_descriptors_left(Self.reservedDescriptors) == -1 { throw SystemError("launch") }
  }

  private func launchContext(
    _ definition: ServiceDefinition, _ listeners: [Listener]
  ) throws(SystemError) -> LaunchContext {
    var context = LaunchContext()
    context.sockets = listeners.map { PassedSocket(name: $0.socket, address: $0.address) }
    context.allSockets = configuration.sockets
    context.environment = environment
    context.acceptProgram = programs.accept
    if definition.readiness == .notify { context.notifySocket = notify.path }
    context.einhornSocket = try einhornPath(for: definition)
    return context
  }

  private func launchMessage(_ error: any Error) -> String {
    guard let error = error as? SystemError else { return "\(error)" }
    switch error.code {
    case EAGAIN: return "\(error); the limit of processes is reached (RLIMIT_NPROC or pids.max)"
    case EMFILE: return "\(error); the daemon's limit of open files is reached (ulimit -n, or LimitNOFILE=)"
    case ENFILE: return "\(error); the machine's limit of open files is reached (fs.file-max)"
    default: return "\(error)"
    }
  }

  /// Takes everything the keeper has said so far.
  func hear(_ service: Int) {
    let runtime = runtimes[service]
    guard let keeper = runtime.keeper else { return }
    while let message = keeper.receive() {
      switch message {
      case .started(let pid):
        runtime.main = keeper.main
        if let code = keeper.cgroupRefusal { noteCgroupRefusal(code, of: service) }
        deliver(.executed(generation: keeper.generation, pid: pid), to: service)
      case .intercepts(let error): intercept(service, keeper, error: error)
      case .failed(let step, let error):
        let failure = LaunchFailure(step: step, error: error, request: keeper.request)
        deliver(.launchFailed(generation: keeper.generation, failure), to: service)
      case .exited(let told):
        let reason = told.isKill ? told.explained(by: runtime.cgroup?.memoryDeath) : told
        keepLastLines(of: service, after: reason)
        deliver(.mainExited(generation: keeper.generation, reason), to: service)
      case .emptied: break  // its end follows, and is the proof
      }
    }
  }

  /// What a service wrote before it failed is part of the message.
  private func keepLastLines(of service: Int, after reason: ExitReason) {
    let runtime = runtimes[service]
    switch graph.machines[service].state {
    case .starting: break
    case .running where !reason.isSuccess: break
    case .running, .stopped, .verifying, .launching, .stopping, .sweeping, .backingOff, .blocked, .failed:
      return
    }
    runtime.log.drainNow()
    runtime.lastLines = runtime.log.lastLines(Self.lastLineCount)
  }

  /// SIGCHLD: reaps until nobody is dead, for signals coalesce; also those who were never ours (PID 1, signal(7)).
  func reap() {
    var pid: pid_t = 0
    var code: Int32 = 0
    var status: Int32 = 0
    while cl_reap(&pid, &code, &status) == 1 {
      if code == CL_STOPPED {
        resumeKeeper(pid)
      } else if let service = keepers.removeValue(forKey: pid) {
        keeperExited(service, ExitReason(code: code, status: status))
      } else if let service = retainedKeepers[pid] {
        retainedKeeperExited(pid, ExitReason(code: code, status: status), of: service)
      } else if let reaped = otherChildren.removeValue(forKey: pid) {
        reaped()
      } else {
        adoptedExited(pid, ExitReason(code: code, status: status))
      }
    }
    for service in runtimes.indices where runtimes[service].adopted == .yes { lookAtAdopted(service) }
  }

  /// Somebody stopped a keeper: it goes on at once.
  private func resumeKeeper(_ pid: pid_t) {
    guard let (service, keeper) = keeper(pid) else { return }
    log.log(
      .warning, service: runtimes[service].definition.name, generation: keeper.generation, pid: pid,
      "its keeper was stopped; it is continued", kind: .keeperStopped)
    do throws(SystemError) { try keeper.resume() } catch { report([error], for: runtimes[service]) }
  }

  /// The keeper is gone.
  ///
  /// Its own exit means that its tree is empty; somebody's SIGKILL, at whatever time, means that its tree is ours.
  private func keeperExited(_ service: Int, _ reason: ExitReason) {
    hear(service)
    let runtime = runtimes[service]
    guard let keeper = runtime.keeper else { return }
    runtime.keeperConnection = nil
    runtime.keeper = nil
    keeper.removeDoor()
    // It exits with 0 when wait says ECHILD, and only then.
    if reason.isSuccess {
      finishGeneration(service, keeper.generation)
    } else {
      runtime.adopted = .yes
      deliver(.keeperLost(generation: keeper.generation), to: service)
    }
  }

  func finishGeneration(_ service: Int, _ generation: Int) {
    runtimes[service].adopted = .no
    runtimes[service].interception = nil
    runtimes[service].discoveryTimer = nil
    // The last words of a generation are its own: a line that it did not finish ends here.
    runtimes[service].log.drainNow()
    if leaveCgroup(of: service) == .populated { return sweepRemnant(of: service) }
    runtimes[service].sweeper = nil
    deliver(.treeEmptied(generation: generation), to: service)
  }

  /// A process without keeper that we reaped: perhaps the main process of a service whose keeper was killed.
  private func adoptedExited(_ pid: pid_t, _ reason: ExitReason) {
    for service in runtimes.indices where runtimes[service].adopted == .yes {
      if runtimes[service].main?.pidfd.pid == pid {
        deliver(.mainExited(generation: generation(of: service), reason), to: service)
      }
    }
  }

  private func lookAtAdopted(_ service: Int) {
    if descendants(of: service).isEmpty { finishGeneration(service, generation(of: service)) }
  }

  /// Everybody alive of the current generation.
  func descendants(of service: Int) -> [Descendant] {
    guard let roots = roots(of: service) else { return [] }
    var found: [Descendant] = []
    Descendants.visit(roots) { found.append($0) }
    return found
  }

  /// Where the tree of the current generation begins: its keeper, or what a killed keeper left to us.
  func roots(of service: Int) -> Descendants.Roots? {
    let runtime = runtimes[service]
    if let keeper = runtime.keeper { return keeper.isItself ? .below(keeper.pid) : nil }
    switch runtime.adopted {
    case .yes: return .including(orphans(of: service))
    case .elsewhere: return .including(lostRoots(of: service))
    case .no: return runtime.remnant == .yes ? .including(cgroupRoots(of: service)) : nil
    }
  }

  /// Children of the daemon that are neither keepers nor helpers of ours: what a killed keeper left to its subreaper.
  func orphans() -> [Int32] {
    ProcessTable.children(of: getpid(), thread: getpid()).filter {
      keepers[$0] == nil && retainedKeepers[$0] == nil && otherChildren[$0] == nil
    }
  }

  /// The service whose keeper is above a process, found through the parents; nil for a stranger.
  func owner(of pid: Int32) -> Int? {
    keeper(above: pid).flatMap { keepers[$0] ?? retainedKeepers[$0] }
  }

  /// The keeper above a process, of whatever generation, or the process itself if it is one.
  func keeper(above pid: Int32) -> Int32? {
    var pid = pid
    for _ in 0..<Self.longestLineage {
      if keepers[pid] != nil || retainedKeepers[pid] != nil { return pid }
      guard pid > 1, let stat = ProcessTable.stat(of: pid) else { return nil }
      pid = stat.parent
    }
    return nil
  }
}
