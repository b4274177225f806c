// The bind(2) and listen(2) calls of a generation: who answers them, and what the log says of it.

import Glibc
import Supervisor

extension Daemon {
  /// The keeper has the filter of its generation, or could not have one.
  func intercept(_ service: Int, _ keeper: Keeper, error: Int32) {
    let runtime = runtimes[service]
    runtime.interceptionRemarks = []
    guard let filter = keeper.takeFilter() else { return tellOfNoInterception(error) }
    do throws(SystemError) {
      try answerBinds(of: service, filter)
    } catch {
      report([error], for: runtime)
    }
  }

  /// Once, for it is the same with every service: what is missing is missing to the daemon.
  private func tellOfNoInterception(_ error: Int32) {
    guard interceptionObstacle != error else { return }
    interceptionObstacle = error
    log.log(
      .notice,
      "bind(2) calls of services can't be intercepted: \(SystemError.text(error))\(Interception.remedy(for: error)); "
        + "with pass = \"auto\" a service gets its sockets only if it knows LISTEN_FDS")
  }

  /// From here on the bind(2) calls of the generation are answered.
  func answerBinds(of service: Int, _ filter: consuming FileDescriptor) throws(SystemError) {
    runtimes[service].interception = try makeInterception(of: service, filter)
  }

  func makeInterception(of service: Int, _ filter: consuming FileDescriptor) throws(SystemError)
    -> Interception
  {
    let runtime = runtimes[service]
    return try Interception(
      owning: filter, loop: loop, policy: runtime.definition.wildcardBind,
      listeners: { [weak self] in
        runtime.definition.sockets.flatMap { self?.sockets.listeners(of: $0) ?? [] }
      },
      isInUse: { [weak self] in self?.isInUse($0, by: service) ?? false },
      discovery: runtime.definition.discovers ? discovery(of: service) : nil,
      onNote: { [weak self] in self?.tell($0, of: service) })
  }

  /// Whether a process took the listener, by a bind or from who did.
  ///
  /// Who only was passed it at the launch, such as a shell, may have no use for it.
  private func isInUse(_ listener: Listener, by service: Int) -> Bool {
    let definition = runtimes[service].definition
    let first = Int32(LaunchPreparation.firstPassedDescriptor)
    let passed =
      definition.pass.descriptors == .fromThree ? first..<first + Int32(definition.sockets.count) : 0..<0
    let found = holders(of: [listener.inode], among: descendants(of: service).map(\.stat.pid))
    return Dictionary(grouping: found, by: \.pid).contains { pid, held in
      let descriptors = Set(held.map(\.fd))
      return !descriptors.isSubset(of: passed) || ListenerUse.isPossible(in: pid, on: descriptors)
    }
  }

  /// Once in a generation each: a program tries again and again.
  private func tell(_ note: Interception.Note, of service: Int) {
    let runtime = runtimes[service]
    switch note {
    case .replaced(let pid, let socket, let address):
      runtime.claimedSockets.insert(socket)
      log.log(
        .debug, service: runtime.definition.name, generation: generation(of: service), pid: pid,
        "pid \(pid) binds \(address) and gets socket \"\(socket)\"")
      // Nobody listens on datagrams.
      if !address.accepts { deliver(.bound(generation: generation(of: service)), to: service) }
    case .listening(let pid, let socket):
      runtime.claimedSockets.insert(socket)
      log.log(
        .debug, service: runtime.definition.name, generation: generation(of: service), pid: pid,
        "pid \(pid) listens on socket \"\(socket)\"")
      deliver(.bound(generation: generation(of: service)), to: service)
    case .repaired(let remark): log.log(.warning, service: runtime.definition.name, remark)
    case .covered(let pid, let wanted, let socket, let address):
      warn(
        service, pid,
        "pid \(pid) binds \(wanted), which covers socket \"\(socket)\" (\(address)) but is more than it; it will hear "
          + "\"Address already in use\": have it bind \(address), or set wildcard_bind = true")
    case .failed(let pid, let message): warn(service, pid, message)
    case .ring(let pid):
      // Since Linux 6.11 there is a way to bind by it; most who use it do not.
      guard runtime.interceptionRemarks.insert("io_uring").inserted else { return }
      log.log(
        .info, service: runtime.definition.name, generation: generation(of: service), pid: pid,
        "pid \(pid) uses io_uring; what it binds by that is not seen, and not intercepted")
    }
  }

  /// Once in a generation.
  func warn(_ service: Int, _ pid: Int32, _ message: String) {
    let runtime = runtimes[service]
    guard runtime.interceptionRemarks.insert(message).inserted else { return }
    log.log(
      .warning, service: runtime.definition.name, generation: generation(of: service), pid: pid, message)
  }
}
