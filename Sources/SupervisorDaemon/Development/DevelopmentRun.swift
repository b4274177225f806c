// A run at a desk while it goes on: what keys do, what happens when a program ended, or wants a port that is taken.

import Glibc
import Supervisor

/// Ties the daemon of a run to its terminal and its failure pages.
final class DevelopmentRun: DaemonObserver {
  private let arguments: RunArguments
  private let ports: RunPorts
  private unowned let daemon: Daemon
  private var console: Console?
  private var seen: [String: PublicState] = [:]
  private var pages: [String: FailureServer] = [:]
  /// A port that a person may free, and the service that wants it.
  private var wanted: (taken: TakenPort, service: Int)?
  /// The searches and removals that are under way, by address.
  private var searches: [SocketAddress: HolderSearch] = [:]
  private var removal: FreeRequest?
  /// The run ends because its only program did.
  private var endsWithProgram = false

  init(_ arguments: RunArguments, daemon: Daemon, ports: RunPorts) throws(SystemError) {
    (self.arguments, self.daemon, self.ports) = (arguments, daemon, ports)
    // Before the first line, so that all of them are aligned.
    daemon.logs.alignNames(daemon.runtimes.map(\.definition.name))
    guard arguments.place == .here else { return }
    var actions = Console.Actions(
      restart: { [weak self] in self?.restart() },
      status: { [unowned daemon] in StatusReply(services: daemon.graph.present.map { daemon.status(of: $0) })
      },
      tree: { [unowned daemon] in TreeReply(trees: daemon.graph.present.map { daemon.tree(of: $0) }) },
      free: { [weak self] in self?.free() },
      quit: { [unowned daemon] in daemon.beginShutdown(because: "q") },
      hungUp: { [unowned daemon] in daemon.beginShutdown(because: "the terminal is gone") })
    actions.stopping = { [unowned daemon] in daemon.stopTerminalUsers() }
    actions.continued = { [unowned daemon] in daemon.continueTerminalUsers() }
    console = try Console(
      loop: daemon.loop, logs: daemon.logs, keys: arguments.standardInput == .terminal ? .no : .yes,
      actions: actions)
  }

  /// Gives the terminal back.
  func end() { console?.end() }

  private func restart() {
    guard daemon.shutdown == .notAsked else { return }
    daemon.perform(daemon.graph.restart(daemon.graph.present, at: Clock.now()))
    daemon.afterEvents()
  }

  // MARK: Services

  func eventsHandled(of daemon: Daemon) {
    for service in daemon.graph.present {
      let state = daemon.graph.publicState(of: service).0
      let name = daemon.runtimes[service].definition.name
      guard seen.updateValue(state, forKey: name) != state else { continue }
      switch state {
      case .failed: ended(service)
      case .stopped: if daemon.graph.machines[service].lastExit?.status == 0 { ended(service) }
      case .starting, .running, .stopping, .backoff, .blocked: pages[name]?.pause()
      }
    }
  }

  private func ended(_ service: Int) {
    guard daemon.shutdown == .notAsked else { return }
    let definition = daemon.runtimes[service].definition
    console?.programEnded()
    if definition.watch == nil, daemon.graph.present.count == 1, definition.restart == .never {
      endsWithProgram = true
      return daemon.beginShutdown(because: "\(definition.name) ended")
    }
    let key = console == nil ? "" : "; r starts it"
    // Without restarts the end was the last line; with them it may be the limit that was reached.
    let reason = definition.restart == .never ? nil : daemon.graph.publicState(of: service).message
    daemon.log.log(
      .notice, service: definition.name,
      (reason.map { $0 + "; " } ?? "") + (definition.watch == nil ? "it has ended" : "waiting for a change")
        + key)
    if arguments.page == .shown { showPage(for: service) }
  }

  private func showPage(for service: Int) {
    let definition = daemon.runtimes[service].definition
    let server =
      pages[definition.name]
      ?? FailureServer(
        loop: daemon.loop,
        listeners: { [weak daemon] in
          guard let daemon, let service = daemon.service(named: definition.name) else { return [] }
          return daemon.runtimes[service].definition.sockets.flatMap { daemon.sockets.listeners(of: $0) }
        },
        page: { [weak daemon] in
          guard let daemon, let service = daemon.service(named: definition.name) else {
            return FailurePage(service: definition.name, message: "it is gone", lines: [])
          }
          let ending = daemon.graph.publicState(of: service).message ?? "its program ended"
          return FailurePage(
            service: definition.name, message: ending,
            lines: daemon.runtimes[service].log.lastLines(Self.shownLines))
        })
    pages[definition.name] = server
    do throws(SystemError) { try server.resume() } catch {
      daemon.log.log(.warning, service: definition.name, "no page for browsers: \(error)")
    }
  }

  /// The last lines of the program that a page has: a traceback fits.
  private static let shownLines = 60

  func exitStatus(of daemon: Daemon) -> Int32 {
    guard endsWithProgram, let only = daemon.graph.present.first else { return 0 }
    // Without a main process it did not even start.
    guard let exit = daemon.graph.machines[only].lastExit else { return 1 }
    // As shells tell it.
    return exit.status ?? 128 + (exit.signal.flatMap(SignalName.number) ?? 0)
  }

  // MARK: Taken ports

  func bindOfTakenAddress(_ address: SocketAddress, of service: Int, pid: Int32) {
    guard searches[address] == nil, removal == nil else { return }
    do throws(SystemError) {
      let question = try HolderQuestion(about: address, table: daemon.socketTable)
      daemon.search(question.inodes) { [weak self] result in
        guard let self else { return }
        self.searches[address] = nil
        if let result {
          self.found(question.reply(to: result), isHeld: !question.listeners.isEmpty, address, service)
        }
      } keep: {
        searches[address] = $0
      }
    } catch {
      daemon.log.log(.warning, "\(error)")
    }
  }

  private func found(
    _ reply: HoldersReply, isHeld: Bool, _ address: SocketAddress, _ service: Int
  ) {
    guard let taken = TakenPort(address, reply, isHeld: isHeld, marker: ports.marker) else { return }
    let name = daemon.runtimes[service].definition.name
    // Another service of this run: it is no stranger, and its port is not to be taken.
    if let other = taken.holders.holders.lazy.compactMap({ self.daemon.owner(of: $0.pid) }).first {
      let holder = daemon.runtimes[other].definition.name
      if other != service {
        daemon.log.log(.error, service: name, "\(address) is taken by \(holder), a service of this run")
      }
      return
    }
    switch ports.decision(about: taken) {
    case .leave:
      daemon.log.log(
        .error, service: name, taken.text("--take-over ends who has it"), lines: taken.screen)
    case .ask:
      let canPress = console != nil && arguments.standardInput == .nothing
      daemon.log.log(
        .error, service: name,
        taken.text(canPress ? "f frees it" : "--take-over ends who has it"), lines: taken.screen)
      wanted = (taken, service)
    case .remove, .removeSilently:
      if taken.origin == .foreign {
        daemon.log.log(.notice, service: name, "\(address) is taken", lines: taken.screen)
      }
      remove(taken, for: service)
    }
  }

  /// The person said so.
  private func free() {
    guard let (taken, service) = wanted else {
      return daemon.logs.show(["no port that is needed is taken"])
    }
    wanted = nil
    remove(taken, for: service)
  }

  private func remove(_ taken: TakenPort, for service: Int) {
    let name = daemon.runtimes[service].definition.name
    let request = FreeRequest(loop: daemon.loop) { [weak self] remarks in
      guard let self else { return }
      self.removal = nil
      for remark in remarks {
        let prefix = taken.origin == .leftover ? "a leftover of an earlier run in this directory: " : ""
        self.daemon.log.log(.notice, service: name, prefix + remark)
      }
      guard self.daemon.shutdown == .notAsked else { return }
      self.daemon.perform(self.daemon.graph.restart([service], at: Clock.now()))
      self.daemon.afterEvents()
    }
    removal = request
    request.begin(taken.plan.chosen)
  }
}
