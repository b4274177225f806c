// `wait`: until every selected service runs, one of them fails for good, or the time is over.

import Supervisor

extension Daemon {
  func answerWait(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let parameters = try call.parameters(as: WaitParameters.self)
    guard let services = select(parameters.names, all: parameters.all, for: call) else { return }
    let key = requests.newKey()
    call.onClose = { [weak self] in self?.requests.end(key) }
    if let timeout = parameters.timeout {
      do throws(SystemError) {
        let end = Clock.now() + .milliseconds(max(0, timeout))
        let timer = try loop.timer(at: end) { [weak self] in
          guard let self, call.isOpen else { return }
          call.fail(
            .failed, "not within \(Duration.milliseconds(timeout).text): \(self.notRunning(services))")
          self.requests.end(key)
        }
        requests.keep(timer, under: key)
      } catch {
        return call.fail(.failed, error.description)
      }
    }
    lookWhetherRunning(services, call, key)
  }

  private func lookWhetherRunning(_ services: [Int], _ call: ControlCall, _ key: Int) {
    guard call.isOpen else { return }
    let states = services.map { graph.publicState(of: $0).0 }
    if let failed = zip(services, states).first(where: { $1 == .failed || $1 == .stopped }) {
      requests.end(key)
      return call.fail(.failed, notRunning([failed.0]))
    }
    guard let waiting = zip(services, states).first(where: { $1 != .running })?.0 else {
      requests.end(key)
      return call.reply(
        OperationReply(
          outcomes: services.map {
            .init(service: runtimes[$0].definition.name, ok: true, message: "running")
          }))
    }
    runtimes[waiting].waiters.append { [weak self] _ in
      // The settlement is announced before the state is noted everywhere: look again after this round.
      self?.lookSoon(services, call, key)
    }
  }

  private func lookSoon(_ services: [Int], _ call: ControlCall, _ key: Int) {
    do throws(SystemError) {
      let turn = requests.newKey()
      requests.keep(
        try loop.soon { [weak self] in
          self?.requests.end(turn)
          self?.lookWhetherRunning(services, call, key)
        }, under: turn)
    } catch {
      call.fail(.failed, error.description)
    }
  }

  private func notRunning(_ services: [Int]) -> String {
    services.compactMap { service -> String? in
      let (state, message) = graph.publicState(of: service)
      guard state != .running else { return nil }
      return "\(runtimes[service].definition.name) is \(state.rawValue)" + (message.map { ": \($0)" } ?? "")
    }.joined(separator: "; ")
  }
}
