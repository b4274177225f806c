// What happens once, before the loop: opening the sockets with patience for a dead daemon's keepers, and the limits.

import Glibc
import Supervisor

/// Why the daemon can't start: whole lines for people.
package struct StartupError: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String
}

enum SocketStartup {
  /// After the death of a daemon its keepers need a moment to sweep, by default half a second; they hold the addresses.
  private static let patience: Duration = .seconds(3)
  private static let pause: Duration = .milliseconds(20)

  /// Opens all sockets; an address that is taken is tried again for a moment, then its holder is named.
  static func open(
    _ definitions: [SocketDefinition], activation: SocketActivation, log: DaemonLog
  ) throws(StartupError) -> OwnedSockets {
    let end = Clock.now() + patience
    var saidWaiting = false
    while true {
      do throws(SocketOpenFailure) {
        return try OwnedSockets(definitions: definitions, activation: activation)
      } catch {
        let isTaken = error.errors.allSatisfy { $0.kind == .addressInUse }
        guard isTaken, Clock.now() < end else { throw StartupError(description: describe(error)) }
        if !saidWaiting {
          saidWaiting = true
          log.log(.notice, "\(error.errors[0].address) is taken; waiting a moment for it to become free")
          log.flush()
        }
        Clock.pause(pause)
      }
    }
  }

  private static func describe(_ failure: SocketOpenFailure) -> String {
    failure.errors.map { error in
      guard error.kind == .addressInUse else { return error.description }
      return error.description + holders(of: error.address)
    }.joined(separator: "\n")
  }

  private static func holders(of address: SocketAddress) -> String {
    do throws(SystemError) {
      let reply = try HolderQuery.holders(of: address)
      let pids = Set(reply.holders.map(\.pid)).sorted()
      let names = pids.compactMap { ProcessDescription.of($0)?.description }
      if !names.isEmpty { return " (held by \(names.joined(separator: ", ")))" }
      return reply.remarks.first.map { " (\($0))" } ?? ""
    } catch {
      return " (its holder can't be told: \(error))"
    }
  }
}

/// RLIMIT_NOFILE: a service costs the daemon four descriptors, and the usual soft limit is 1,024 for select(2)'s sake.
enum DescriptorLimit {
  /// Raises the soft limit to the hard one; returns what it was, for the services.
  static func raise() -> LimitDefinition? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
    let before = LimitDefinition(
      name: "nofile", resource: RLIMIT_NOFILE.rawValue, soft: UInt64(limit.rlim_cur),
      hard: UInt64(limit.rlim_max))
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return before
  }
}
