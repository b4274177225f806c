// What a daemon that died left in the cgroups of its services, ended before anything is launched.

import Glibc
import Supervisor

/// Ends what a former daemon left in our cgroups; before any launch, and before sockets are opened.
enum AbandonedSweep {
  private static let patience: Duration = .seconds(5)
  private static let namedProcesses = 16

  /// One generation of one service.
  struct Claim: Hashable {
    var service: String
    var generation: Int
  }

  /// Who keeps a generation, as far as it is not this daemon that ends it.
  private enum Keeper { case child, stranger, none }

  /// Ends every generation that nobody answers for.
  ///
  /// A keeper that is still there, the child of another daemon, is sweeping: it gets the time for it.
  /// - Parameter claimed: generations that this daemon takes over. Those whose keepers are children of this process
  ///   already, as after an upgrade in place, are spared, too.
  /// - Returns: those that could not be ended in time, by service.
  static func run(_ tree: CgroupTree, claimed: Set<Claim>, log: DaemonLog) -> [String: [AbandonedGeneration]]
  {
    let keepers = keepers(in: tree)
    let end = Clock.now() + patience
    var killed: [AbandonedGeneration] = []
    for remains in tree.abandoned {
      let claim = remains.generation.map { Claim(service: remains.service, generation: $0) }
      let keeper = claim.flatMap { keepers[$0] } ?? .none
      if let claim, claimed.contains(claim) || keeper == .child { continue }
      if keeper == .stranger { _ = remains.group.awaitEmpty(until: end) }
      guard remains.group.remove() == .populated else { continue }
      log.log(
        .warning, service: remains.service, "\(describe(remains)) was left by a former daemon: SIGKILL",
        kind: .straySwept)
      self.end(remains.group, log)
      killed.append(remains)
    }
    return awaitEnd(of: killed, in: tree, log)
  }

  private static func awaitEnd(
    of killed: [AbandonedGeneration], in tree: CgroupTree, _ log: DaemonLog
  ) -> [String: [AbandonedGeneration]] {
    let end = Clock.now() + patience
    var left: [String: [AbandonedGeneration]] = [:]
    for remains in killed {
      if remains.group.awaitEmpty(until: end) {
        _ = remains.group.remove()
      } else {
        log.log(
          .error, service: remains.service,
          "\(describe(remains)) does not die; nothing is launched beside it", kind: .unkillable)
        left[remains.service, default: []].append(remains)
      }
    }
    tree.removeEmpty()
    return left
  }

  /// Keepers live in the leaf, where nobody is whom we did not start, and are called "fdsupervisor-keeper app/3 …".
  private static func keepers(in tree: CgroupTree) -> [Claim: Keeper] {
    var found: [Claim: Keeper] = [:]
    for pid in tree.leafMembers {
      let words = (ProcessTable.command(of: pid) ?? "").split(separator: " ")
      guard words.count > 1, words[0] == "fdsupervisor-keeper", let slash = words[1].lastIndex(of: "/"),
        let generation = Int(words[1][words[1].index(after: slash)...])
      else { continue }
      let claim = Claim(service: String(words[1][..<slash]), generation: generation)
      found[claim] = ProcessTable.stat(of: pid)?.parent == getpid() ? .child : .stranger
    }
    return found
  }

  /// In one step, or before Linux 5.14 one by one: frozen, so that nobody forks meanwhile.
  private static func end(_ group: ControlGroup, _ log: DaemonLog) {
    do throws(SystemError) {
      if group.has("cgroup.kill") { return try group.kill() }
      try group.freeze()
      for pid in group.members {
        guard let stat = ProcessTable.stat(of: pid) else { continue }
        _ = try PidFD.open(stat.identity).send(SIGKILL)
      }
    } catch {
      log.log(.warning, "\(error)")
    }
  }

  /// "generation 3 (pid 812 "sleep 1000")".
  static func describe(_ remains: AbandonedGeneration) -> String {
    let members = remains.group.members
    let names = members.prefix(namedProcesses).map { pid in
      "pid \(pid) \"\(ProcessTable.command(of: pid) ?? "?")\""
    }
    let more = members.count > namedProcesses ? ["and \(members.count - namedProcesses) more"] : []
    let generation = remains.generation.map { "generation \($0)" } ?? "cgroup \(remains.group.path)"
    return "\(generation) (\((names + more).joined(separator: ", ")))"
  }
}
