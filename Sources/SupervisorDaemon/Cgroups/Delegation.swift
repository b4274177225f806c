// Whether the cgroup that we were started in was given to us: by proof, for root could write everywhere.

import Glibc
import Supervisor

/// What systemd, or whoever started us, gave us of the cgroup tree.
package enum Delegation: Hashable, Sendable {
  /// The cgroup that is ours, and where in it this process is.
  case unit(ControlGroup, Place)
  /// Why not: a clause for people.
  case none(String)

  package enum Place: Hashable, Sendable { case unit, leaf }

  /// systemd.resource-control(5) Delegate=: the manager marks the cgroup of such a unit with these.
  package static let proofs = ["trusted.delegate", "user.delegate"]

  /// As it is for this process.
  package static func find(leaf: String = CgroupPlace.leaf) -> Delegation {
    let text = { (path: String) in
      String(decoding: contents(ofSmallFile: path) ?? [], as: UTF8.self)
    }
    return judge(
      cgroup: text("/proc/self/cgroup"), mountinfo: text("/proc/self/mountinfo"), leaf: leaf,
      isDelegated: { folder in
        proofs.contains { ControlGroup(path: folder).attribute($0) == [UInt8(ascii: "1")] }
      })
  }

  /// The same from texts; `isDelegated` says whether a folder has the mark.
  ///
  /// We are in the delegated cgroup itself, or already in its leaf (`DelegateSubgroup=daemon`, systemd 254; or another
  /// daemon in our place before us).
  package static func judge(
    cgroup: String, mountinfo: String, leaf: String = CgroupPlace.leaf, isDelegated: (String) -> Bool
  ) -> Delegation {
    let mounts = CgroupPlace.mounts(inMountinfo: mountinfo)
    if mounts.isEmpty { return .none("no cgroup v2 file system is mounted") }
    guard let own = CgroupPlace.own(inProcCgroup: cgroup) else {
      return .none("this process is in no cgroup of the v2 hierarchy")
    }
    guard let folder = CgroupPlace.folder(of: own, in: mounts) else {
      return .none("the cgroup \(own) is outside of what is mounted at \(mounts[0].point)")
    }
    if isDelegated(folder) { return .unit(ControlGroup(path: folder), .unit) }
    let suffix = "/" + leaf
    if own.hasSuffix(suffix), isDelegated(String(folder.dropLast(suffix.count))) {
      return .unit(ControlGroup(path: String(folder.dropLast(suffix.count))), .leaf)
    }
    return .none("the cgroup \(own) is not delegated")
  }

  /// What to do about it.
  package static let remedy = "set Delegate=yes in the unit of the daemon"
}
