// After the daemon's end, as ExecStopPost= of its unit: the way is made free for the next one.

import CLinux
import Supervisor

/// Turns off the controllers in the unit's own cgroup.
///
/// systemd before 254 starts the main process in the cgroup of the unit, not in a leaf of it; while services live on
/// below it (`survive`) with a controller turned on, the kernel refuses that with EBUSY, and systemd gives up with
/// status 219/CGROUP. The next daemon turns them on again, and writes the limits anew.
package enum CgroupRelease {
  /// Where systemd runs the control processes of a delegated unit.
  private static let controlGroup = ".control"

  /// - Returns: what could not be done, or nil.
  package static func run() -> String? {
    guard case .unit(let unit, .leaf) = Delegation.find(leaf: controlGroup) else { return nil }
    do throws(SystemError) {
      let folder = try unit.open()
      if cl_lock(folder.number) == -1 { return "the daemon still runs: nothing is released" }
      let controllers = (unit.read("cgroup.subtree_control") ?? "").split { $0 == " " || $0 == "\n" }
      for controller in controllers { try unit.write("-\(controller)", to: "cgroup.subtree_control") }
      return nil
    } catch {
      return error.description
    }
  }
}
