// What `systemctl status` says of the services: one line, STATUS= of sd_notify(3). Pure.

import Supervisor

/// A service, as far as the line tells of it.
package struct ServiceGlance: Hashable, Sendable {
  package var name: String
  package var state: PublicState
  package var message: String?
  /// Until the next launch of one that backs off.
  package var retryIn: Duration?

  package init(name: String, state: PublicState, message: String? = nil, retryIn: Duration? = nil) {
    (self.name, self.state, self.message, self.retryIn) = (name, state, message, retryIn)
  }
}

package enum StatusLine {
  /// The services in trouble that are named.
  private static let named = 3
  /// Of one message, in characters.
  private static let longestMessage = 120

  /// "2 of 4 services running, 1 starting; api: backing off, exit 1, next launch in 4 s".
  package static func text(_ services: [ServiceGlance], isStopping: Bool) -> String {
    ([counts(services, isStopping: isStopping)] + troubles(services)).joined(separator: "; ")
  }

  private static func counts(_ services: [ServiceGlance], isStopping: Bool) -> String {
    if services.isEmpty { return isStopping ? "stopping" : "no services" }
    func count(_ state: PublicState) -> Int { services.count { $0.state == state } }
    if isStopping {
      let left = services.count { $0.state != .stopped && $0.state != .failed }
      return "stopping; \(left) of \(counted(services)) to go"
    }
    let all = counted(services)
    var parts = [
      count(.running) == services.count ? "\(all) running" : "\(count(.running)) of \(all) running"
    ]
    for state in [PublicState.starting, .stopping, .stopped] where count(state) > 0 {
      parts.append("\(count(state)) \(state.rawValue)")
    }
    return parts.joined(separator: ", ")
  }

  private static func counted(_ services: [ServiceGlance]) -> String {
    services.count == 1 ? "1 service" : "\(services.count) services"
  }

  private static func troubles(_ services: [ServiceGlance]) -> [String] {
    let found = services.compactMap(trouble)
    let more = found.count - named
    return found.prefix(named) + (more > 0 ? ["and \(more) more in trouble"] : [])
  }

  private static func trouble(_ service: ServiceGlance) -> String? {
    let words: String
    switch service.state {
    case .backoff: words = "backing off"
    case .blocked: words = "blocked"
    case .failed: words = "failed"
    case .stopped, .starting, .running, .stopping: return nil
    }
    let retry = service.retryIn.map { "next launch in \(max($0, .zero).text)" }
    return "\(service.name): "
      + [words, service.message.map(shortened), retry].compactMap { $0 }.joined(separator: ", ")
  }

  private static func shortened(_ message: String) -> String {
    message.count > longestMessage ? message.prefix(longestMessage - 1) + "…" : message
  }
}
