// What the control protocol's methods do. Each call is answered once, now or when there is something to say.

import Glibc
import Supervisor

extension Daemon {
  func answer(_ call: ControlCall) {
    do throws(ControlCall.AlreadyAnswered) {
      switch call.method {
      case .status: try answerStatus(call)
      case .start: try operate(call) { graph, services, now in graph.start(services, at: now) }
      case .restart: try operate(call) { graph, services, now in graph.restart(services, at: now) }
      case .stop: try answerStop(call)
      case .reload: try answerReload(call)
      case .signal: try answerSignal(call)
      case .wait: try answerWait(call)
      case .logs: try answerLogs(call)
      case .attach: try answerAttach(call)
      case .sockets: answerSockets(call)
      case .holders: try answerHolders(call)
      case .free: try answerFree(call)
      case .tree: try answerTree(call)
      case .doctor: answerDoctor(call)
      case .reloadConfig: try answerReloadConfig(call)
      case .reexec: answerReexec(call)
      case .shutdown:
        call.reply(NoParameters())
        beginShutdown(because: "asked by pid \(call.peerPID)")
      }
    } catch {}
  }

  /// The services that names and patterns mean; answers the call itself when one of them means none.
  func select(_ names: [String], all: Bool?, for call: ControlCall) -> [Int]? {
    let present = graph.present
    if all == true { return present }
    if names.isEmpty {
      call.fail(.invalidArgument, "name a service, a pattern, or all of them")
      return nil
    }
    var found: [Int] = []
    for name in names {
      let matching = present.filter { fnmatch(name, runtimes[$0].definition.name, 0) == 0 }
      if matching.isEmpty {
        call.fail(.noSuchService, "no service is called \"\(shortened(name))\"; \(knownServices)")
        return nil
      }
      found += matching.filter { !found.contains($0) }
    }
    return found
  }

  private func shortened(_ name: String) -> String {
    let text = ProcessTable.printable(name)
    return text.count > 64 ? text.prefix(64) + "…" : text
  }

  private var knownServices: String {
    let names = graph.present.map { runtimes[$0].definition.name }
    if names.isEmpty { return "the configuration has none" }
    return "there are: " + names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
  }

  private func answerStatus(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let selection = try call.parameters(as: ServiceSelection.self)
    let all = selection.names.isEmpty ? true : selection.all
    guard let services = select(selection.names, all: all, for: call) else { return }
    call.reply(StatusReply(services: services.map { status(of: $0) }))
  }

  /// A request to the graph, answered when every service it is about came to rest or runs.
  private func operate(
    _ call: ControlCall, _ request: (inout ServiceGraph, [Int], Instant) -> [ServiceGraph.Action]
  ) throws(ControlCall.AlreadyAnswered) {
    let selection = try call.parameters(as: ServiceSelection.self)
    guard let services = select(selection.names, all: selection.all, for: call) else { return }
    guard mayLaunch(call), reopenSockets(of: services, for: call) else { return }
    gather(services, for: call) { [weak self] in self?.outcome(ofLaunching: $0, $1) }
    perform(request(&graph, services, Clock.now()))
  }

  func mayLaunch(_ call: ControlCall) -> Bool {
    if shutdown == .notAsked { return true }
    call.fail(.failed, "the daemon is stopping")
    return false
  }

  private func answerStop(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let parameters = try call.parameters(as: StopParameters.self)
    guard let services = select(parameters.names, all: parameters.all, for: call) else { return }
    let close = parameters.close == true
    gather(services, for: call) { [weak self] in self?.outcome(ofStopping: $0, $1, close: close) }
    perform(graph.stop(services, at: Clock.now()))
    goOnWithStops()
  }

  /// Collects one outcome for each service, and answers when all are there.
  private func gather(
    _ services: [Int], for call: ControlCall,
    _ outcome: @escaping (Int, Settlement) -> OperationReply.Outcome?
  ) {
    let key = requests.newKey()
    if call.wantsMore { requests.listen(services, call, under: key) }
    var outcomes: [Int: OperationReply.Outcome] = [:]
    call.onClose = { [weak self] in self?.requests.end(key) }
    for service in services {
      runtimes[service].waiters.append { [weak self] settlement in
        guard let self, call.isOpen, let result = outcome(service, settlement) else { return }
        outcomes[service] = result
        guard outcomes.count == services.count else { return }
        self.requests.end(key)
        call.reply(OperationReply(outcomes: services.compactMap { outcomes[$0] }))
      }
    }
  }

  /// Tells those who asked for progress what is being done.
  func announce(_ service: Int, _ message: String) {
    for listener in requests.listeners.values where listener.services.contains(service) {
      listener.call.progress(ProgressReply(service: runtimes[service].definition.name, message: message))
    }
  }

  private func reopenSockets(of services: [Int], for call: ControlCall) -> Bool {
    for name in services.flatMap({ runtimes[$0].definition.sockets }) where !sockets.isOpen(name) {
      do throws(SocketOpenFailure) {
        for remark in try sockets.reopen(name) { log.log(.notice, remark, kind: .socketRemark) }
        keepListeners()
      } catch {
        call.fail(.failed, error.description)
        return false
      }
    }
    return true
  }

  private func answerReload(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let selection = try call.parameters(as: ServiceSelection.self)
    guard let services = select(selection.names, all: selection.all, for: call) else { return }
    call.reply(OperationReply(outcomes: services.map { send(runtimes[$0].definition.reloadSignal, to: $0) }))
  }

  private func answerSignal(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let parameters = try call.parameters(as: SignalParameters.self)
    guard let services = select(parameters.names, all: parameters.all, for: call) else { return }
    guard let signal = SignalName.number(parameters.signal) else {
      return call.fail(.invalidArgument, "\"\(ProcessTable.printable(parameters.signal))\" is no signal")
    }
    call.reply(OperationReply(outcomes: services.map { send(signal, to: $0) }))
  }

  /// To the main process alone, through its pidfd.
  private func send(_ signal: Int32, to service: Int) -> OperationReply.Outcome {
    let name = runtimes[service].definition.name
    guard let pid = graph.machines[service].state.pid, let main = runtimes[service].main else {
      let state = graph.publicState(of: service).0.rawValue
      return .init(service: name, ok: false, message: "cannot send \(SignalName.of(signal)): it is \(state)")
    }
    do throws(SystemError) {
      guard try main.pidfd.send(signal) else {
        return .init(
          service: name, ok: false, message: "cannot send \(SignalName.of(signal)): pid \(pid) is gone")
      }
      return .init(service: name, ok: true, message: "sent \(SignalName.of(signal)) to pid \(pid)")
    } catch {
      return .init(service: name, ok: false, message: error.description)
    }
  }

  private func answerLogs(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let parameters = try call.parameters(as: LogsParameters.self)
    guard let service = select([parameters.name], all: nil, for: call)?.first else { return }
    let log = runtimes[service].log
    let lines = log.recentLines(max(0, min(parameters.lines ?? 10, 100_000)))
    guard parameters.follow == true, call.wantsMore else { return call.reply(LogsReply(lines: lines)) }
    followLogs(service, call, after: lines)
  }

  /// Goes on with a call that came from the program before.
  func followLogs(_ call: ControlCall) {
    do throws(ControlCall.AlreadyAnswered) {
      let parameters = try call.parameters(as: LogsParameters.self)
      if let service = select([parameters.name], all: nil, for: call)?.first {
        followLogs(service, call, after: nil)
      }
    } catch {}
  }

  private func followLogs(_ service: Int, _ call: ControlCall, after lines: [String]?) {
    call.dropRemark = { LogsReply(lines: ["… \($0) lines dropped: this reader is too slow"]) }
    let key = requests.newKey()
    call.onClose = { [weak self] in self?.requests.end(key) }
    if let lines { call.progress(LogsReply(lines: lines)) }
    requests.keep(
      runtimes[service].log.follow { [weak call] in call?.progress(LogsReply(lines: $0), weight: $0.count) },
      under: key)
  }

  private static func describe(_ pid: Int32) -> String {
    ProcessDescription.of(pid)?.description ?? "pid \(pid), which is gone"
  }

  /// A message of sd_notify(3): it counts only when it comes from below a keeper.
  func notified(_ message: NotifySocket.Message) {
    guard let service = keeper(above: message.pid).flatMap({ keepers[$0] }) else {
      // Composed only when it is logged: a flood of these must stay cheap.
      return log.log(
        .debug, "a notification from \(Self.describe(message.pid)) is ignored: it belongs to no service")
    }
    for field in message.fields {
      if field == "READY=1" { deliver(.notified(generation: generation(of: service)), to: service) }
      if field.hasPrefix("STATUS=") {
        runtimes[service].statusText = String(ProcessTable.printable(String(field.dropFirst(7))).prefix(200))
      }
    }
  }
}
