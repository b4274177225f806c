// A port that a run wants and somebody else has: who that is, and whether it is a leftover of a run in this folder.

import Glibc
import Supervisor

/// Who has an address, seen from a run.
struct TakenPort {
  let address: SocketAddress
  let holders: HoldersReply
  /// Whom to end, and whom not: what `fdsupervisorctl free` spares is spared here.
  let plan: RemovalPlan
  let origin: Origin

  enum Origin { case leftover, foreign }

  /// nil when nobody has it.
  init?(_ address: SocketAddress, marker: String) throws(SystemError) {
    let view = try HolderQuery.view(of: address)
    self.init(address, view.reply, isHeld: view.isHeld, marker: marker)
  }

  /// What is known of the holders already.
  ///
  /// - Parameter isHeld: somebody listens, whether or not this user sees who.
  init?(_ address: SocketAddress, _ reply: HoldersReply, isHeld: Bool, marker: String) {
    guard isHeld else { return nil }
    self.address = address
    holders = reply
    let pids = Set(reply.holders.map(\.pid))
    plan = RemovalPlan(holders: pids)
    let areOurs = !pids.isEmpty && pids.allSatisfy { Self.isOfRun($0, marker: marker) }
    origin = areOurs ? .leftover : .foreign
  }

  /// Ending who may be ended frees it, as far as anybody sees.
  var canBeFreed: Bool { !plan.chosen.isEmpty && plan.refusals.isEmpty }

  /// What is said, with what a person can do about it.
  func text(_ remedy: String) -> String { "\(address) is taken" + (canBeFreed ? "; \(remedy)" : "") }

  /// Who has it, and why it can't be freed, for people.
  var screen: [String] {
    let known = HolderScreen.lines(HolderTree.of(holders.holders)).map { String($0.dropFirst(2)) }
    return known + plan.refusals + plan.advice + holders.remarks
  }

  /// Whether a process comes of a run in this folder: its environment, as it was executed, says so (proc(5)).
  ///
  /// Programs may overwrite it; they count as strangers then, and a person is asked.
  private static func isOfRun(_ pid: Int32, marker: String) -> Bool {
    guard let environment = contents(ofSmallFile: "/proc/\(pid)/environ", limit: 1 << 20) else {
      return false
    }
    let wanted = Array("\(RunConfiguration.markerName)=\(marker)".utf8)
    return environment.split(separator: 0).contains { $0.elementsEqual(wanted) }
  }
}
