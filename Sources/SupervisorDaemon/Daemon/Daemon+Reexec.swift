// `reexec`, the old program's side: a rehearsal of the new one, then the state and execve(2), or all as before.

import CLinux
import Glibc
import Supervisor

extension Daemon {
  func answerReexec(_ call: ControlCall) {
    let began = Clock.now()
    if let refusal = reexecRefusal {
      return call.fail(.failed, "the daemon cannot be replaced now: \(refusal)")
    }
    let token = String((Clock.now().nanoseconds ^ UInt64(ownPID)) &* 0x9e37_79b9_7f4a_7c15, radix: 16)
    do throws(HandoverError) {
      let trial = try StateFile.write(handoverState(token: token, began: began))
      let rehearsal = try Rehearsal(
        of: origin.program, state: trial, token: token, devNull: devNull.number, loop: loop
      ) { [weak self] outcome in self?.rehearsed(outcome, call, token: token, began: began) }
      otherChildren[rehearsal.pid] = {}
      self.rehearsal = rehearsal
    } catch {
      refuse(call, error)
    }
  }

  /// Why a replacement would mix with something that is under way; nil when nothing is.
  var reexecRefusal: String? {
    if observer != nil { return "it is a run at a desk; end it and start it again" }
    if shutdown != .notAsked { return "it is stopping" }
    if reload != nil || !waitingReloads.isEmpty || graph.isBetweenConfigurations {
      return "the configuration is being reloaded"
    }
    if unit.startup != nil { return "systemd was not told yet that it is ready" }
    if !leftovers.isEmpty || !abandoned.isEmpty || runtimes.contains(where: { $0.remnant == .yes }) {
      return "processes that a daemon before this one left are still being removed"
    }
    if rehearsal != nil { return "somebody else's reexec is under way" }
    return nil
  }

  private func refuse(_ call: ControlCall, _ error: HandoverError) {
    log.log(.error, "reexec, asked by pid \(call.peerPID): \(error)", kind: .replacementRefused)
    call.fail(.failed, error.description)
  }

  private func rehearsed(_ outcome: Rehearsal.Outcome, _ call: ControlCall, token: String, began: Instant) {
    switch outcome {
    case .failure(let error):
      rehearsal = nil
      refuse(call, error)
    case .success(let version):
      // A SIGTERM that the loop has read already would be lost with it: first what waits there.
      do throws(SystemError) {
        let turn = try loop.soon(priority: .replacement) { [weak self] in
          self?.handOverIfStillWanted(to: version, call, token: token, began: began)
        }
        requests.keep(turn, under: requests.newKey())
      } catch {
        rehearsal = nil
        refuse(call, HandoverError("\(error); the daemon goes on as it is"))
      }
    }
  }

  private func handOverIfStillWanted(
    to version: String, _ call: ControlCall, token: String, began: Instant
  ) {
    rehearsal = nil
    if let refusal = reexecRefusal {
      return refuse(call, HandoverError("the daemon cannot be replaced now: \(refusal)"))
    }
    handOver(to: version, call, token: token, began: began)
  }

  /// Returns only when the new program could not be executed.
  private func handOver(to version: String, _ call: ControlCall, token: String, began: Instant) {
    log.log(
      .notice,
      "version \(version) at \(origin.program) takes over, as pid \(call.peerPID) asked")
    // Facts that are there already are told before; nothing comes up from here on.
    reap()
    tellSystemd("RELOADING=1\nMONOTONIC_USEC=\(Clock.now().nanoseconds / 1000)")
    control?.hold(keeping: { $0 === call || Self.goesAlong($0) }, telling: Self.askAgain)
    letGo()
    if unit.sender?.isBehind == true { _ = unit.sender?.settle(within: Self.patienceWithSystemd) }
    log.flush()
    let error: HandoverError
    do {
      let state = try handoverState(token: token, began: began)
      let file = try StateFile.write(state)
      let image = try Succession.image()
      let inheritance = Inheritance(state: file.number, former: image.number)
      let failure = Succession.execute(
        origin.program, origin.arguments + inheritance.arguments,
        keeping: state.descriptors + [file.number, image.number])
      error = HandoverError("\(failure); the daemon goes on as it is")
    } catch let caught {
      error = HandoverError("\(caught); the daemon goes on as it is")
    }
    perform(graph.resumed(at: Clock.now()))
    for kept in control?.calls ?? [] where Self.goesAlong(kept) { followLogs(kept) }
    refuse(call, error)
    control?.release()
    tellSystemd("READY=1")
  }

  /// What was not taken by then is not told.
  private static let patienceWithSystemd: Duration = .milliseconds(250)

  /// For calls that were in the middle of something.
  static let askAgain = "the daemon is being replaced; ask again"

  /// Whether the new program can go on with a call: then its client notices nothing.
  private static func goesAlong(_ call: ControlCall) -> Bool { call.method == .logs && call.wantsMore }

  /// Ends what can't go along; the machines ask for it once more.
  private func letGo() {
    requests.endAll()
    for runtime in runtimes {
      runtime.waiters = []
      // The sweeper gives up its place before all ordinary processes.
      runtime.sweeper = nil
      runtime.occupantSearch = nil
      runtime.occupants = []
    }
  }

  private func handoverState(token: String, began: Instant) throws(HandoverError) -> HandoverState {
    guard let control else { throw HandoverError("the daemon is stopping") }
    let recentBytes = min(Self.recentBytes, Self.recentBytesOfAll / max(1, runtimes.count))
    var services: [String: HandoverState.ServiceRecord] = [:]
    for service in graph.present {
      services[runtimes[service].definition.name] = runtimes[service].record(recentBytes: recentBytes)
    }
    var state = HandoverState(
      pid: ownPID, token: token, origin: origin, began: began, held: Clock.now(),
      descriptorLimit: descriptorLimit, graph: graph.snapshot, services: services,
      listeners: sockets.snapshot,
      notify: notify.snapshot, control: control.snapshot, unsent: logs.unsent,
      otherChildren: Array(otherChildren.keys), hasReturned: unit.hasReturned)
    state.einhorn = einhorn?.snapshot
    return state
  }

  /// What services last wrote goes along, so much of each, and so much of all.
  private static let recentBytes = 64 << 10
  private static let recentBytesOfAll = 16 << 20
}

extension ServiceRuntime {
  func record(recentBytes: Int) -> HandoverState.ServiceRecord {
    var record = HandoverState.ServiceRecord(
      keeper: keeper?.snapshot, orphanedMain: keeper == nil ? main?.snapshot : nil,
      adopted: adopted.rawValue,
      log: log.snapshot(recentBytes: recentBytes), strangers: strangers,
      looksForStrangers: strangerTimer != nil || strangerSearch != nil, statusText: statusText, since: since,
      publicState: lastPublicState, lastLines: lastLines, unsaidLines: unsaidLines,
      reportedRefusals: reportedRefusals)
    record.filter = interception?.number
    record.interceptionRemarks = interceptionRemarks
    record.looksForLeaks = leakTimer != nil
    if !retained.isEmpty { record.retained = retained.map(\.snapshot) }
    return record
  }
}
