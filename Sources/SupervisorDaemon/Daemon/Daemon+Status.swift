// What `status`, `tree` and the outcomes of requests say.

import Supervisor

extension Daemon {
  func status(of service: Int) -> ServiceStatus {
    let machine = graph.machines[service]
    let runtime = runtimes[service]
    let definition = runtime.definition
    let (state, message) = graph.publicState(of: service)
    var status = ServiceStatus(
      name: definition.name, state: state, pid: machine.state.pid, generation: machine.generation,
      restarts: machine.restarts, since: runtime.since, sockets: definition.sockets,
      ports: definition.ports.map(\.description))
    status.lastExit = machine.lastExit
    status.message = ([message, runtime.statusText].compactMap { $0 } + runtime.strangers).joined(
      separator: "; ")
    if status.message?.isEmpty == true { status.message = nil }
    if !runtime.lastLines.isEmpty { status.lastLines = runtime.lastLines }
    if case .backingOff(let backingOff) = machine.state {
      status.retryIn = Int((backingOff.until - Clock.now()).milliseconds)
    }
    status.report = machine.report
    if let use = runtime.cgroup?.use {
      (status.memory, status.cpu, status.tasks) = (use.memory, use.cpu, use.tasks)
    }
    if !runtime.retained.isEmpty {
      status.retained = runtime.retained.map {
        RetainedStatus(generation: $0.generation, keeper: $0.keeper.pid, strays: $0.strays)
      }
    }
    return status
  }

  func outcome(ofLaunching service: Int, _ settlement: Settlement) -> OperationReply.Outcome {
    let name = runtimes[service].definition.name
    switch settlement {
    case .running(let report):
      let pid = report.pid.map { ", pid \($0)" } ?? ""
      let text = "generation \(report.generation) is ready\(pid), \(Int(report.milliseconds.rounded())) ms"
      return .init(service: name, ok: true, message: text, report: report)
    case .stopped: return .init(service: name, ok: false, message: "it was stopped meanwhile")
    case .backingOff(let message):
      return failure(service, "it failed to start: \(message); it will be tried again")
    case .blocked(let message): return failure(service, "it is blocked: \(message)")
    case .failed(let message): return failure(service, "it failed to start: \(message)")
    }
  }

  func outcome(ofStopping service: Int, _ settlement: Settlement, close: Bool) -> OperationReply.Outcome {
    let name = runtimes[service].definition.name
    switch settlement {
    case .stopped(let report):
      var remarks: [String] = []
      if close { remarks = closeSockets(of: service) }
      let text = (["stopped"] + remarks).joined(separator: "; ")
      return .init(service: name, ok: true, message: text, report: report)
    case .failed(let message):
      return .init(service: name, ok: true, message: "stopped; before, it had failed: \(message)")
    case .running: return .init(service: name, ok: false, message: "it was started again meanwhile")
    case .backingOff(let message), .blocked(let message): return failure(service, message)
    }
  }

  private func failure(_ service: Int, _ message: String) -> OperationReply.Outcome {
    let runtime = runtimes[service]
    return .init(
      service: runtime.definition.name, ok: false, message: message,
      lastLines: runtime.lastLines.isEmpty ? nil : runtime.lastLines)
  }

  /// Closes the sockets that no other service uses.
  private func closeSockets(of service: Int) -> [String] {
    runtimes[service].definition.sockets.flatMap { name -> [String] in
      let other = runtimes.indices.first { index in
        index != service && runtimes[index].definition.sockets.contains(name)
          && !graph.machines[index].isAtRest
      }
      if let other {
        return ["socket \"\(name)\" stays open: service \(runtimes[other].definition.name) uses it"]
      }
      return sockets.close(name)
    }
  }

  func answerTree(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let selection = try call.parameters(as: ServiceSelection.self)
    guard let services = select(selection.names, all: selection.all, for: call) else { return }
    call.reply(TreeReply(trees: services.flatMap { [tree(of: $0)] + retainedTrees(of: $0) }))
  }

  private func retainedTrees(of service: Int) -> [ServiceTree] {
    runtimes[service].retained.map { retained in
      var tree = ServiceTree(
        service: runtimes[service].definition.name, generation: retained.generation,
        keeper: retained.keeper.pid, processes: processes(retained.descendants, of: service))
      tree.retained = true
      return tree
    }
  }

  func tree(of service: Int) -> ServiceTree {
    ServiceTree(
      service: runtimes[service].definition.name, generation: generation(of: service),
      keeper: runtimes[service].keeper?.pid, processes: processes(descendants(of: service), of: service))
  }

  private func processes(_ found: [Descendant], of service: Int) -> [TreeProcess] {
    let held = found.isEmpty ? [:] : heldSockets(by: found.map(\.stat.pid), of: service)
    let leaks = leaks(in: found, of: service)
    let users = UserNames.read()
    return found.map { descendant in
      let pid = descendant.stat.pid
      var process = TreeProcess(
        pid: pid, parent: descendant.stat.parent, depth: descendant.depth,
        command: ProcessTable.command(of: pid) ?? "[\(ProcessTable.printable(descendant.stat.name))]",
        state: String(descendant.stat.state),
        user: ProcessTable.user(of: pid).map { users.name(of: $0) } ?? "?",
        age: ProcessTable.age(ofStartTime: descendant.stat.startTime).milliseconds / 1000,
        holds: held[pid] ?? [])
      process.leaks = leaks.contains(pid) ? true : nil
      return process
    }
  }
}
