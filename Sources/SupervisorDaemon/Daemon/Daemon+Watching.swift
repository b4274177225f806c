// Watched files: which services have a watch, and what a change leads to.

import Supervisor

extension Daemon {
  /// Before a launch, and when the definition is another one: what is watched is what `watch` says now.
  ///
  /// The watch is there before the program reads its files, so that no change is missed. It stays when somebody stops
  /// the service: then a change leads to nothing.
  func watchFiles(of service: Int) {
    let runtime = runtimes[service]
    if let files = runtime.files, files.definition == runtime.definition.watch, !files.isOver { return }
    // First the old one goes, and nobody waits for it any more: there are not many inotify instances for a user.
    runtime.files = nil
    runtime.isAheadOfBurst = false
    goOnWithVerification(of: service)
    guard let definition = runtime.definition.watch else { return }
    do throws(SystemError) {
      let files = try FileWatch(definition, loop: loop) { [weak self] news in self?.heed(news, of: service) }
      runtime.files = files
      runtime.watchRemark = nil
      log.log(
        .debug, service: runtime.definition.name,
        "watches \(Text.counted(files.count, "folder")) below \(definition.folder)")
      for remark in files.takeRemarks() { log.log(.warning, service: runtime.definition.name, remark) }
    } catch {
      let remark = "\(error)\(FileWatch.remedy(for: error.code)); changes of files do not restart it"
      // A launch that fails again and again tries again and again.
      guard runtime.watchRemark != remark else { return }
      runtime.watchRemark = remark
      log.log(.warning, service: runtime.definition.name, remark)
    }
  }

  /// Services that run without having been launched by this program.
  func watchFilesOfAll() {
    for service in graph.present where graph.isWanted(service) { watchFiles(of: service) }
  }

  /// Nobody is restarted any more, and nothing waits for quiet files.
  func endWatches() {
    for service in graph.present {
      runtimes[service].files = nil
      goOnWithVerification(of: service)
    }
  }

  private func heed(_ news: FileWatch.News, of service: Int) {
    let runtime = runtimes[service]
    switch news {
    case .remark(let remark): log.log(.warning, service: runtime.definition.name, remark)
    case .began(let file):
      let change = FileChange(files: [file], count: 1)
      runtime.isAheadOfBurst = restart(service, because: change)
    case .ended(let change):
      let isAhead = runtime.isAheadOfBurst
      runtime.isAheadOfBurst = false
      if let change, !isAhead { _ = restart(service, because: change) }
      if let change, isAhead, change.count > 1 { log(.notice, .filesChanged, service: service, change.text) }
      goOnWithVerification(of: service)
    }
  }

  /// The stop begins at once, and the launch waits for the end of the burst: both take their time side by side.
  private func restart(_ service: Int, because change: FileChange) -> Bool {
    guard shutdown == .notAsked else { return false }
    let runtime = runtimes[service]
    let now = Clock.now()
    let ready = graph.machines[service].readySince
    guard let actions = graph.filesChanged(service, at: now) else { return false }
    log(.notice, .filesChanged, service: service, change.text)
    if runtime.restartLoop.noteRestart(at: now, ready: ready) {
      let file = change.files.first ?? "a file"
      log(
        .warning, service: service,
        "it is restarted again and again, each time soon after its start: does it write \(file) itself? "
          + "then add watch_ignore = [\"\(file)\"]")
    }
    perform(actions)
    return true
  }

  /// Whatever the launch is for: a program that starts while git checks out files would meet half of them.
  func verifyWhenFilesAreQuiet(_ service: Int) {
    let runtime = runtimes[service]
    if let files = runtime.files, files.isUnsettled, graph.machines[service].isAboutToLaunch {
      runtime.heldVerification = .held
    } else {
      deliver(.verified(verify(service)), to: service)
    }
  }

  /// Somebody stopped a service whose launch waits: that wait is over.
  func goOnWithStops() {
    for service in graph.present where !graph.machines[service].isAboutToLaunch {
      goOnWithVerification(of: service)
    }
  }

  private func goOnWithVerification(of service: Int) {
    guard runtimes[service].heldVerification == .held else { return }
    runtimes[service].heldVerification = .no
    deliver(.verified(verify(service)), to: service)
  }
}
