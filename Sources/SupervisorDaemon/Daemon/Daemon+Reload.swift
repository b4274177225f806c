// Reload of the configuration: reads the files, applies what is different, and answers when everything has settled.

import Supervisor

extension Daemon {
  /// Reloads that wait for the one that is under way; more are refused.
  private static let waitingReloads = 16

  func answerReloadConfig(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let parameters = try call.parameters(as: ReloadConfigParameters.self)
    guard mayLaunch(call) else { return }
    reloadConfiguration(
      .init(
        because: "asked by pid \(call.peerPID)", call: call,
        scope: parameters.dryRun == true ? .dryRun : .everything))
  }

  /// One at a time, in the order of the requests.
  func reloadConfiguration(_ request: Reload.Request) {
    guard shutdown == .notAsked else {
      request.call?.fail(.failed, "the daemon is stopping")
      return
    }
    if observer != nil {
      request.call?.fail(.failed, "it is a run at a desk, made of its arguments; end it and start it again")
      return
    }
    if reload == nil { return begin(request) }
    if request.call == nil, waitingReloads.contains(where: { $0.call == nil }) { return }
    guard waitingReloads.count < Self.waitingReloads else {
      request.call?.fail(.failed, "too many reloads wait for the one that is under way; try again later")
      return
    }
    waitingReloads.append(request)
  }

  private func begin(_ request: Reload.Request) {
    let reload = Reload(request, key: requests.newKey())
    self.reload = reload
    if request.scope == .everything {
      // sd_notify(3): with Type=notify-reload systemd waits for READY=1 after that, whatever comes of it. While the
      // start is not over there is nothing that could be reloaded, as it sees it.
      if unit.startup == nil { tellSystemd("RELOADING=1\nMONOTONIC_USEC=\(Clock.now().nanoseconds / 1000)") }
      log.log(.notice, "\(request.reason): reading the configuration again")
    }
    let sources = ConfigurationSources()
    switch ConfigurationLoader.load(origin.configuration, from: sources) {
    case .failure(let diagnostics):
      note(diagnostics, in: reload)
      let count = diagnostics.count { $0.severity == .error }
      refuse(reload, "the configuration has \(Text.counted(count, "error"))")
    case .success(let new, let warnings):
      note(warnings, in: reload)
      apply(new, from: sources, reload)
    }
  }

  private func note(_ diagnostics: [Diagnostic], in reload: Reload) {
    reload.reply.diagnostics = diagnostics.map {
      .init(
        file: $0.file, line: $0.line, column: $0.column, severity: $0.severity.rawValue, message: $0.message)
    }
    guard reload.request.scope == .everything else { return }
    for (diagnostic, line) in zip(diagnostics, ReloadText.lines(reload.reply.diagnostics)) {
      log.log(diagnostic.severity == .error ? .error : .warning, line)
    }
  }

  private func refuse(_ reload: Reload, _ message: String) {
    reload.reply.ok = false
    reload.reply.message = "\(message); nothing was changed"
    if reload.request.scope == .everything {
      log.log(.error, "cannot reload: \(reload.reply.message)", kind: .reloadRefused)
    }
    end(reload)
  }

  private func apply(_ new: Configuration, from sources: ConfigurationSources, _ reload: Reload) {
    let plan = ReloadPlan(from: configuration, to: new, sockets: sockets.transition(to: new.sockets))
    reload.reply.changes = plan.changes(
      rests: { name in self.service(named: name).map { !self.graph.isWanted($0) } ?? false },
      isClosed: { !self.sockets.isOpen($0) })
    if reload.request.scope == .dryRun {
      reload.reply.message = plan.difference.isEmpty ? "no difference" : "a dry run: nothing was changed"
      return end(reload)
    }
    do throws(SocketOpenFailure) {
      reload.reply.remarks = try sockets.replace(by: new.sockets, plan.sockets)
    } catch {
      return nameHolders(error, reload)
    }
    for change in reload.reply.changes { log.log(.notice, "reload: \(change.sentence)") }
    keepListeners()
    configuration = new
    origin.sources = sources.snapshot
    log.threshold = new.daemon.logLevel
    apply(plan, reload)
  }

  /// The services; the listeners that could be opened are open.
  private func apply(_ plan: ReloadPlan, _ reload: Reload) {
    let now = Clock.now()
    let before = Set(graph.present)
    var actions: [ServiceGraph.Action] = []
    var changed: [Int] = []
    for change in plan.difference.services {
      switch change.kind {
      case .added:
        guard let definition = plan.definition(of: change.name) else { continue }
        let (service, more) = graph.add(definition, at: now)
        place(definition, at: service, isNew: !before.contains(service))
        if definition.autostart { reload.starts.append(service) }
        actions += more
      case .removed: if let service = service(named: change.name) { reload.removed.append(service) }
      case .changed(_, let effect):
        guard let service = service(named: change.name), let definition = plan.definition(of: change.name)
        else {
          continue
        }
        let takeover: ServiceEvent.Takeover = effect == .inPlace ? .atOnce : .withNextGeneration
        actions += graph.redefine(service, definition, takeover, at: now)
        changed.append(service)
      }
    }
    perform(actions)
    stopAndRelaunch(plan, changed, reload)
  }

  private func stopAndRelaunch(_ plan: ReloadPlan, _ changed: [Int], _ reload: Reload) {
    let names = plan.stoppedForSockets
    let stopped = graph.present.filter { names.contains(runtimes[$0].definition.name) }
    let again = graph.withRequirers(of: stopped).filter { graph.isWanted($0) }.sorted()
    let relaunched = changed.filter { !again.contains($0) && graph.machines[$0].isWorthRelaunching }
    reload.starts += again
    let later = graph.followers(of: reload.starts)
    let relaunchedNow = relaunched.filter { !later.contains($0) }
    reload.relaunchedLater = relaunched.filter { later.contains($0) }
    reload.launched = relaunchedNow
    reload.awaited = Set(again + stopped + reload.removed)
    reload.phase = .stopping
    listen(to: reload, relaunchedNow + reload.removed)
    for service in reload.removed {
      endRetained(of: service, because: "the configuration does not have the service any more")
    }
    // All of it is on its way before anybody looks whether it has settled.
    let now = Clock.now()
    perform(
      graph.stop(stopped, at: now) + graph.retire(reload.removed, at: now)
        + graph.relaunch(relaunchedNow, at: now))
    advanceReload()
  }

  /// After every round of events: perhaps what the reload waits for has come to pass.
  func advanceReload() {
    guard let reload, reload.phase != .reading, !reload.awaited.contains(where: { graph.isSettling($0) })
    else { return }
    switch reload.phase {
    case .reading: break
    case .stopping: goOnAfterStops(reload)
    case .starting:
      reload.reply.outcomes += reload.launched.map { outcome(of: $0, in: reload) }
      reload.reply.remarks += sockets.closeLeaving()
      let count = Text.counted(reload.reply.changes.count, "change")
      reload.reply.message =
        reload.reply.changes.isEmpty ? "no difference" : "the configuration is reloaded: \(count)"
      for remark in reload.reply.remarks { log.log(.notice, "reload: \(remark)") }
      log.log(.notice, reload.reply.message, kind: .reloaded)
      end(reload)
    }
  }

  private func goOnAfterStops(_ reload: Reload) {
    reload.reply.outcomes += reload.removed.map { outcome(ofRemoving: $0, in: reload) }
    for service in reload.removed where graph.isForgotten(service) { forget(service) }
    reload.reply.remarks += sockets.makeWay()
    keepListeners()
    let next = reload.starts + reload.relaunchedLater
    reload.launched += next
    reload.awaited = Set(reload.launched)
    reload.phase = .starting
    guard shutdown == .notAsked else { return advanceReload() }
    reopenSockets(of: reload.starts, reload)
    listen(to: reload, next)
    let now = Clock.now()
    perform(graph.start(reload.starts, at: now) + graph.relaunch(reload.relaunchedLater, at: now))
    advanceReload()
  }

  /// Somebody closed them for a run by hand, and now they get a service.
  private func reopenSockets(of services: [Int], _ reload: Reload) {
    for name in services.flatMap({ runtimes[$0].definition.sockets }) where !sockets.isOpen(name) {
      do throws(SocketOpenFailure) {
        reload.reply.remarks += try sockets.reopen(name)
      } catch {
        reload.reply.remarks.append(error.description)
      }
    }
    keepListeners()
  }

  private func listen(to reload: Reload, _ services: [Int]) {
    for service in services {
      runtimes[service].waiters.append { [weak reload] in reload?.settlements[service] = $0 }
    }
    if let call = reload.request.call, call.wantsMore {
      requests.listen(Array(reload.awaited.union(reload.launched)), call, under: reload.key)
    }
  }

  private func end(_ reload: Reload) {
    requests.end(reload.key)
    reload.request.call?.reply(reload.reply)
    if reload.request.scope == .everything, shutdown == .notAsked, unit.startup == nil {
      tellSystemd("READY=1")
    }
    statusChanged()
    self.reload = nil
    guard !waitingReloads.isEmpty else { return }
    let turn = requests.newKey()
    do throws(SystemError) {
      let soon = try loop.soon { [weak self] in
        guard let self else { return }
        self.requests.end(turn)
        if self.reload == nil, !self.waitingReloads.isEmpty {
          self.reloadConfiguration(self.waitingReloads.removeFirst())
        }
      }
      requests.keep(soon, under: turn)
    } catch {
      for waiting in waitingReloads { waiting.call?.fail(.failed, error.description) }
      waitingReloads = []
    }
  }
}

// Services come and go.
extension Daemon {
  func service(named name: String) -> Int? {
    graph.present.first { !graph.isRetired($0) && runtimes[$0].definition.name == name }
  }

  private func place(_ definition: ServiceDefinition, at service: Int, isNew: Bool) {
    guard isNew else { return }
    let runtime = ServiceRuntime(definition: definition, logs: logs)
    if service == runtimes.count { runtimes.append(runtime) } else { runtimes[service] = runtime }
  }

  /// Its log, its searches and its watches go.
  private func forget(_ service: Int) {
    runtimes[service] = ServiceRuntime(definition: runtimes[service].definition, logs: logs)
  }

  private func outcome(of service: Int, in reload: Reload) -> OperationReply.Outcome {
    if let settlement = reload.settlements[service] { return outcome(ofLaunching: service, settlement) }
    let (state, message) = graph.publicState(of: service)
    let text = "it is \(state.rawValue)" + (message.map { ": \($0)" } ?? "")
    return .init(service: runtimes[service].definition.name, ok: state == .running, message: text)
  }

  private func outcome(ofRemoving service: Int, in reload: Reload) -> OperationReply.Outcome {
    let report: RelaunchReport?
    if case .stopped(let found) = reload.settlements[service] { report = found } else { report = nil }
    let name = runtimes[service].definition.name
    if graph.isForgotten(service) {
      return .init(service: name, ok: true, message: "stopped and forgotten", report: report)
    }
    let message = graph.publicState(of: service).message ?? "it does not stop"
    return .init(service: name, ok: false, message: "removed, but not gone: \(message)")
  }
}

// A listener that can't be opened.
extension Daemon {
  /// Finds out who has the addresses, beside the loop, and refuses.
  private func nameHolders(_ failure: SocketOpenFailure, _ reload: Reload) {
    let taken = failure.errors.filter { $0.kind == .addressInUse }.map(\.address)
    var inodes: [SocketAddress: Set<UInt64>] = [:]
    do throws(SystemError) {
      for address in taken { inodes[address] = try HolderQuestion(about: address, table: socketTable).inodes }
    } catch {
      log.log(.warning, "\(error)")
    }
    search(inodes.values.reduce(into: []) { $0.formUnion($1) }) { [weak self] result in
      guard let self else { return }
      let lines = failure.errors.map { error in
        let held = inodes[error.address] ?? []
        let pids = Set((result?.holders ?? []).filter { held.contains($0.inode) }.map(\.pid)).sorted()
        let names = pids.compactMap { ProcessDescription.of($0)?.description }
        return error.description + (names.isEmpty ? "" : " (held by \(names.joined(separator: ", ")))")
      }
      self.refuse(reload, lines.joined(separator: "; "))
    } keep: {
      if let search = $0 { requests.keep(search, under: reload.key) }
    }
  }
}

extension ConfigurationChange {
  /// For the log.
  fileprivate var sentence: String {
    let what = kind == .daemon ? "[daemon] \(name)" : "\(kind.rawValue) \(name)"
    let differing = keys.isEmpty ? "" : " (\(keys.joined(separator: ", ")))"
    return "\(what) \(change.rawValue)\(differing): \(action.rawValue)"
  }
}
