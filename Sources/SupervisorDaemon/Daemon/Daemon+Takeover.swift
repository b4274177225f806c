// `reexec`, the new program's side: it goes on with what the program before it handed over.

import CLinux
import Glibc
import Supervisor

extension Daemon {
  /// Goes on with everything; from its end on there is no way back.
  func takeOver(_ state: HandoverState, _ fallBack: FallBack) {
    let calls = fallBack.certainly { try watchEverything(state) }
    // Descriptors had to stay open over execve(2); nothing that is launched gets them.
    if cl_mark_close_on_exec(3) == -1 {
      log.log(.warning, "\(SystemError("mark the descriptors as close-on-exec"))")
    }
    logs.begin(with: state.unsent)
    if let failure = fallBack.inheritance.failure {
      log.log(.error, Self.refusal(failure), kind: .replacementRefused)
    } else {
      log.log(.notice, Self.text(state, keptServices), kind: .daemonReplaced)
    }
    for service in runtimes.indices where runtimes[service].keeper != nil || runtimes[service].adopted != .no
    {
      adoptCgroup(of: service, generation: generation(of: service))
    }
    perform(graph.resumed(at: Clock.now()))
    for service in runtimes.indices
    where state.services[runtimes[service].definition.name]?.looksForStrangers == true {
      lookForStrangersSoon(service)
    }
    for service in runtimes.indices
    where state.services[runtimes[service].definition.name]?.looksForLeaks == true {
      lookForLeaks(of: service, after: Self.leakDelays)
    }
    watchFilesOfAll()
    // Those who died meanwhile: their signal may be lost, what their keepers said is not.
    reap()
    for call in calls { goOn(with: call, state, failure: fallBack.inheritance.failure) }
    control?.release()
    tellSystemd("READY=1")
    keepListeners()
    feedWatchdog()
    statusChanged()
  }

  private static func text(_ state: HandoverState, _ kept: Int) -> String {
    "version \(Product.version) took over from \(state.version): "
      + "\(Text.counted(kept, "service")) kept, \((Clock.now() - state.began).text)"
  }

  private static func refusal(_ failure: String) -> String { "\(failure); the daemon goes on as it was" }

  private var keptServices: Int { runtimes.count { $0.keeper != nil } }

  /// Everything that can fail; nothing is changed before.
  private func watchEverything(_ state: HandoverState) throws(SystemError) -> [ControlCall] {
    try beginListening()
    for (service, runtime) in runtimes.enumerated() {
      try runtime.log.begin()
      if let keeper = runtime.keeper {
        if keeper.isChild {
          try listen(to: keeper, of: service)
        } else {
          try listenToFormer(keeper, of: service)
        }
      }
      let record = state.services[runtime.definition.name]
      if let filter = record?.filter { try answerBinds(of: service, FileDescriptor(owning: filter)) }
      for retained in record?.retained ?? [] { try takeOver(retained, of: service) }
      runtime.interceptionRemarks = record?.interceptionRemarks ?? []
    }
    try notify.begin(in: loop)
    if let snapshot = state.einhorn { try restoreEinhorn(snapshot) }
    return try control?.begin() ?? []
  }

  private func takeOver(_ record: HandoverState.Retained, of service: Int) throws(SystemError) {
    let filter = try record.filter.map { (number) throws(SystemError) in
      try makeInterception(of: service, FileDescriptor(owning: number))
    }
    let keeper = Keeper(restoring: record.keeper, in: keeperFolder)
    let cgroup = adoptCgroup(ofRetained: keeper.generation, of: service)
    watch(RetainedGeneration(keeper, record.strays, filter, cgroup), of: service)
  }

  /// A call that came along.
  private func goOn(with call: ControlCall, _ state: HandoverState, failure: String?) {
    switch call.method {
    case .logs: followLogs(call)
    case .reexec:
      if let failure { return call.fail(.failed, Self.refusal(failure)) }
      let now = Clock.now()
      call.reply(
        ReexecReply(
          from: state.version, to: Product.version, pid: ownPID, services: keptServices,
          milliseconds: (now - state.began).milliseconds, pause: (now - state.held).milliseconds))
    case .status, .start, .stop, .restart, .reload, .signal, .wait, .attach, .sockets, .holders, .free, .tree,
      .doctor,
      .reloadConfig, .shutdown:
      call.fail(.failed, Self.askAgain)
    }
  }
}

extension ServiceRuntime {
  /// What the program before knew; a service that it did not know begins at rest.
  convenience init(
    _ definition: ServiceDefinition, restoring record: HandoverState.ServiceRecord?, in logs: LogContext,
    _ folder: KeeperFolder
  ) {
    guard let record else {
      self.init(definition: definition, logs: logs)
      return
    }
    let log = ServiceLog(
      restoring: record.log, service: definition.name, definition: definition.log, in: logs)
    self.init(definition: definition, log: log, since: record.since)
    keeper = record.keeper.map { Keeper(restoring: $0, in: folder) }
    main = keeper?.main ?? record.orphanedMain.map { Keeper.MainProcess(restoring: $0) }
    adopted = Adopted(rawValue: record.adopted) ?? .no
    strangers = record.strangers
    statusText = record.statusText
    lastPublicState = record.publicState
    restore(lastLines: record.lastLines, unsaid: record.unsaidLines)
    reportedRefusals = record.reportedRefusals
  }
}
