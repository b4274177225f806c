// Who a process is, as a person wants to be told: command, user, terminal or systemd unit, since when.

package struct ProcessDescription: Hashable, Sendable {
  package var identity: ProcessIdentity
  /// Printable; the name in brackets when it has no command line.
  package var command: String
  /// A name, or the number.
  package var user: String
  /// The systemd unit, else the path of the cgroup; "" in the root.
  package var unit: String
  /// Its controlling terminal, "pts/3"; "" without one.
  package var terminal: String
  /// Since it was started.
  package var age: Duration

  package var pid: Int32 { identity.pid }

  package init(
    identity: ProcessIdentity, command: String, user: String, unit: String, terminal: String = "",
    age: Duration
  ) {
    self.identity = identity
    self.command = command
    self.user = user
    self.unit = unit
    self.terminal = terminal
    self.age = age
  }

  /// Reads /proc; nil when there is no such process, or when it became another one meanwhile.
  package static func of(_ pid: Int32, users: UserNames = .read()) -> ProcessDescription? {
    guard let before = ProcessTable.stat(of: pid) else { return nil }
    let command = ProcessTable.command(of: pid) ?? "[\(ProcessTable.printable(before.name))]"
    let user = ProcessTable.user(of: pid).map { users.name(of: $0) } ?? "unknown"
    let unit = contents(ofSmallFile: "/proc/\(pid)/cgroup").map { Self.unit(ofCgroup: $0) } ?? ""
    guard ProcessTable.stat(of: pid)?.identity == before.identity else { return nil }
    return ProcessDescription(
      identity: before.identity, command: command, user: user, unit: unit,
      terminal: Terminal.name(ofDevice: before.terminal), age: ProcessTable.age(ofStartTime: before.startTime)
    )
  }

  /// The unit in the bytes of /proc/PID/cgroup, cgroups(7): lines "HIERARCHY:CONTROLLERS:PATH".
  ///
  /// That of version 2 ("0::") counts, or where it is the root, that of systemd in version 1.
  package static func unit(ofCgroup bytes: [UInt8]) -> String {
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    for prefix in ["0::", "1:name=systemd:"] {
      guard let line = lines.first(where: { $0.hasPrefix(prefix) }) else { continue }
      let path = line.dropFirst(prefix.count)
      let units = path.split(separator: "/").filter { $0.hasSuffix(".service") || $0.hasSuffix(".scope") }
      if let unit = units.last { return ProcessTable.printable(String(unit)) }
      if path != "/" { return ProcessTable.printable(String(path)) }
    }
    return ""
  }
}

extension ProcessDescription: CustomStringConvertible {
  /// Longer commands are cut in a line of text, in characters.
  private static let longestCommand = 160

  /// One line: `pid 812 "nginx -g daemon off;" (user www-data, nginx.service, for 3 h 20 m)`.
  package var description: String {
    let isLong = command.count > Self.longestCommand
    let shown = isLong ? command.prefix(Self.longestCommand - 1) + "…" : command[...]
    let origin = terminal.isEmpty ? unit : terminal
    let place = origin.isEmpty ? "" : ", \(origin)"
    return "pid \(pid) \"\(shown)\" (user \(user)\(place), for \(age.text))"
  }
}
