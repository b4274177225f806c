// Where cgroups are: what /proc/self/cgroup and /proc/self/mountinfo say, and how a service's name becomes a folder's.

/// Parses the kernel's texts about cgroup v2; no system call.
package enum CgroupPlace {
  /// A mount of a cgroup v2 hierarchy, proc(5) /proc/PID/mountinfo.
  package struct Mount: Hashable, Sendable {
    /// The cgroup that the mount shows, as seen from the cgroup namespace of the reader.
    package var root: String
    package var point: String

    package init(root: String, point: String) {
      self.root = root
      self.point = point
    }
  }

  /// The mounts of type cgroup2, in the order of the text.
  ///
  /// "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate": between the options and the
  /// dash there may be any number of fields.
  package static func mounts(inMountinfo text: String) -> [Mount] {
    text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash > 5, dash + 1 < fields.count else { return nil }
      guard fields[dash + 1] == "cgroup2" else { return nil }
      return Mount(root: unescaped(fields[3]), point: unescaped(fields[4]))
    }
  }

  /// The cgroup of a process in the v2 hierarchy, from the line "0::/PATH", cgroups(7).
  ///
  /// nil without such a line, or when that cgroup was removed.
  package static func own(inProcCgroup text: String) -> String? {
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return nil }
    return line.hasSuffix(" (deleted)") ? nil : String(line.dropFirst(3))
  }

  /// The folder of a cgroup; nil when no mount shows it, as from outside of a cgroup namespace.
  package static func folder(of cgroup: String, in mounts: [Mount]) -> String? {
    for mount in mounts {
      guard let rest = below(mount.root, cgroup), !rest.split(separator: "/").contains("..") else { continue }
      return mount.point == "/" ? rest : mount.point + rest
    }
    return nil
  }

  /// "" or "/REST" when a path is at or below another one.
  private static func below(_ root: String, _ path: String) -> String? {
    if root == "/" { return path == "/" ? "" : path }
    guard path.hasPrefix(root) else { return nil }
    let rest = path.dropFirst(root.count)
    return rest.isEmpty || rest.hasPrefix("/") ? String(rest) : nil
  }

  /// Space, tab, newline and backslash are written as \ and three octal digits.
  private static func unescaped(_ field: Substring) -> String {
    guard field.contains("\\") else { return String(field) }
    var bytes: [UInt8] = []
    var rest = Array(field.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = String(decoding: rest.prefix(3), as: UTF8.self)
      if byte == UInt8(ascii: "\\"), digits.utf8.count == 3, let value = UInt8(digits, radix: 8) {
        bytes.append(value)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The leaf that the daemon and its keepers live in, as in `DelegateSubgroup=daemon`.
  package static let leaf = "daemon"

  /// What kernel files and other folders begin with: a service of such a name gets "_" before it, as systemd does it
  /// for units (CGROUP_DELEGATION, "Escaping").
  private static let taken: Set<Substring> = [
    "cgroup", "cpu", "cpuset", "cpuacct", "io", "blkio", "memory", "pids", "hugetlb", "rdma", "misc", "dmem",
    "irq",
    "debug", "devices", "freezer", "net_cls", "net_prio", "perf_event", "notify_on_release", "release_agent",
    "tasks",
    "daemon",
  ]

  /// The folder of a service: its name, unless that could be a file of the kernel or a folder of somebody else.
  package static func folder(ofService name: String) -> String {
    let isTaken = taken.contains(name.prefix { $0 != "." })
    return isTaken || name.hasPrefix("_") || name.hasPrefix(".") ? "_" + name : name
  }

  /// The service of a folder.
  package static func service(ofFolder name: String) -> String {
    name.hasPrefix("_") ? String(name.dropFirst()) : name
  }

  /// The value of a key in a file of "KEY VALUE" lines: cgroup.events, memory.events, cpu.stat.
  package static func value(of key: String, in text: String) -> UInt64? {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, words[0] == key { return UInt64(words[1]) }
    }
    return nil
  }
}
