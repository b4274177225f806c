// A port that a run wants and somebody else has: who that is, and whether it is a leftover of a run in this folder.

import Glibc
import Supervisor

/// Who has an address, seen from a run.
struct TakenPort {
  let address: SocketAddress
  let holders: HoldersReply
  /// Each once, those that are no more left out.
  let processes: [ProcessDescription]
  let origin: Origin

  enum Origin { case leftover, foreign }

  /// nil when nobody has it.
  init?(_ address: SocketAddress, marker: String) throws(SystemError) {
    self.init(address, try HolderQuery.holders(of: address), marker: marker)
  }

  /// What is known of the holders already.
  init?(_ address: SocketAddress, _ reply: HoldersReply, marker: String) {
    let isHeld = !reply.holders.isEmpty || reply.remarks.contains { $0.hasPrefix("somebody listens") }
    guard isHeld else { return nil }
    self.address = address
    holders = reply
    processes = Set(reply.holders.map(\.pid)).sorted().compactMap { ProcessDescription.of($0) }
    let areOurs =
      !processes.isEmpty && processes.allSatisfy { Self.isOfRun($0.pid, marker: marker) }
    origin = areOurs ? .leftover : .foreign
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
