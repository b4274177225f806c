// The bind(2) calls of a generation: who answers them, and what the log says of it.

import Glibc
import Supervisor

extension Daemon {
  /// The keeper has the filter of its generation, or could not have one.
  func intercept(_ service: Int, _ keeper: Keeper, error: Int32) {
    let runtime = runtimes[service]
    runtime.interceptionRemarks = []
    guard let filter = keeper.takeFilter() else {
      return log.log(
        .notice, service: runtime.definition.name, generation: keeper.generation,
        "its bind(2) calls can't be intercepted: \(SystemError.text(error))\(Interception.remedy(for: error)); "
          + "it gets its sockets only if it knows LISTEN_FDS")
    }
    do throws(SystemError) {
      try answerBinds(of: service, filter)
    } catch {
      report([error], for: runtime)
    }
  }

  /// From here on the bind(2) calls of the generation are answered.
  func answerBinds(of service: Int, _ filter: consuming FileDescriptor) throws(SystemError) {
    let runtime = runtimes[service]
    runtime.interception = try Interception(
      owning: filter, loop: loop, policy: runtime.definition.wildcardBind,
      listeners: { [weak self] in
        runtime.definition.sockets.flatMap { self?.sockets.listeners(of: $0) ?? [] }
      },
      onNote: { [weak self] in self?.tell($0, of: service) })
  }

  /// Once in a generation each: a program tries again and again.
  private func tell(_ note: Interception.Note, of service: Int) {
    let runtime = runtimes[service]
    switch note {
    case .replaced(let pid, let socket, let address):
      log.log(
        .debug, service: runtime.definition.name, generation: generation(of: service), pid: pid,
        "pid \(pid) binds \(address) and gets socket \"\(socket)\"")
    case .repaired(let remark): log.log(.warning, service: runtime.definition.name, remark)
    case .covered(let pid, let wanted, let socket, let address):
      warn(
        service, pid,
        "pid \(pid) binds \(wanted), which covers socket \"\(socket)\" (\(address)) but is more than it; it will hear "
          + "\"Address already in use\": have it bind \(address), or set wildcard_bind = true")
    case .failed(let pid, let message): warn(service, pid, message)
    }
  }

  private func warn(_ service: Int, _ pid: Int32, _ message: String) {
    let runtime = runtimes[service]
    guard runtime.interceptionRemarks.insert(message).inserted else { return }
    log.log(
      .warning, service: runtime.definition.name, generation: generation(of: service), pid: pid, message)
  }
}
