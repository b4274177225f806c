// One cgroup: made, read, written, killed, removed. It knows no service.

import CLinux
import Glibc
import Supervisor

/// A folder of a cgroup v2 file system, cgroups(7).
package struct ControlGroup: Hashable, Sendable {
  package let path: String

  package init(path: String) { self.path = path }

  package func child(_ name: String) -> ControlGroup { ControlGroup(path: "\(path)/\(name)") }

  /// What becomes of a removal.
  package enum Removal: Hashable, Sendable {
    case removed
    /// Processes are in it, or below it.
    case populated
    /// Nobody is in it who could run, but somebody who dies: it can be removed in a moment.
    case lingering
    case failed(SystemError)
  }

  /// Deeper than that nobody nests cgroups.
  private static let deepest = 32
  /// Far more than a service makes.
  private static let mostFolders = 4096

  /// Whether it was made, or was there.
  package enum Making { case new, known }

  /// Makes it; one that is there is as good.
  @discardableResult package func make() throws(SystemError) -> Making {
    if mkdir(path, 0o755) == 0 { return .new }
    if errno == EEXIST { return .known }
    throw SystemError("make cgroup", path)
  }

  /// The folder, for clone3(2) CLONE_INTO_CGROUP.
  package func open() throws(SystemError) -> FileDescriptor {
    try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
  }

  /// A file of it as text; nil when there is no such file: that controller is not on.
  package func read(_ file: String) -> String? {
    contents(ofSmallFile: "\(path)/\(file)").map { String(decoding: $0, as: UTF8.self) }
  }

  package func write(_ text: String, to file: String) throws(SystemError) {
    let descriptor = try FileDescriptor.open("\(path)/\(file)", O_WRONLY)
    let bytes = Array(text.utf8)
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor.number, $0.baseAddress, $0.count) }
    if count == -1 { throw SystemError("write \"\(text)\" to", "\(path)/\(file)") }
  }

  package func has(_ file: String) -> Bool { access("\(path)/\(file)", F_OK) == 0 }

  /// Whether a living process is in it or below it; what can't be read is not known to be empty.
  package var isPopulated: Bool {
    guard let events = read("cgroup.events") else { return access(path, F_OK) == 0 }
    return CgroupPlace.value(of: "populated", in: events) != 0
  }

  /// The numbers of all processes in it and below it.
  package var members: [Int32] {
    var found: [Int32] = []
    each { group in
      let text = group.read("cgroup.procs") ?? ""
      // A process of another pid namespace has the number 0.
      found += text.split(separator: "\n").compactMap { Int32($0) }.filter { $0 > 0 }
    }
    return found
  }

  /// Whether it has members, even such as this pid namespace has no number for.
  private var hasMembers: Bool {
    var found = false
    each { group in
      if !found, let text = group.read("cgroup.procs"), !text.isEmpty { found = true }
    }
    return found
  }

  /// SIGKILL to all in it and below it in one step, which no fork and no migration outruns (Linux 5.14).
  package func kill() throws(SystemError) { try write("1", to: "cgroup.kill") }

  /// Stops all in it from running; whoever is killed dies all the same.
  package func freeze() throws(SystemError) { try write("1", to: "cgroup.freeze") }

  /// Waits until nobody is in it, at most so long; for the start of the program only.
  package func awaitEmpty(until end: Instant) -> Bool {
    let file = cl_open("\(path)/cgroup.events", O_RDONLY, 0)
    guard file >= 0 else { return !isPopulated }
    let events = FileDescriptor(owning: file)
    while isPopulated {
      let left = end - Clock.now()
      if left <= .zero { return false }
      _ = cl_await_change(events.number, Int32(clamping: left.wholeNanoseconds / 1_000_000 + 1))
    }
    return true
  }

  /// Removes it, with the cgroups that a service made below it.
  ///
  /// That this succeeds is the kernel's word that no process is in it.
  package func remove() -> Removal {
    if rmdir(path) == 0 || errno == ENOENT { return .removed }
    let error = SystemError("remove cgroup", path)
    guard error.code == EBUSY else { return .failed(error) }
    if isPopulated { return hasMembers ? .populated : .lingering }
    var below: [ControlGroup] = []
    each { below.append($0) }
    // The deepest come last.
    for group in below.reversed() where rmdir(group.path) == -1 && errno != ENOENT {
      let error = SystemError("remove cgroup", group.path)
      guard error.code == EBUSY else { return .failed(error) }
      return hasMembers ? .populated : .lingering
    }
    return .removed
  }

  /// The folders directly below it.
  package var children: [String] {
    var names: [String] = []
    withUnsafeMutablePointer(to: &names) { list in
      _ = cl_each_folder(
        path,
        { name, list in
          guard let name, let list else { return }
          list.assumingMemoryBound(to: [String].self).pointee.append(String(cString: name))
        }, list)
    }
    return names
  }

  /// Calls back with it and everything below it, parents first.
  private func each(_ visit: (ControlGroup) -> Void) {
    var level = [self]
    var count = 0
    for _ in 0..<Self.deepest where !level.isEmpty && count < Self.mostFolders {
      for group in level { visit(group) }
      count += level.count
      level = level.flatMap { group in group.children.map { group.child($0) } }
    }
  }

  /// An extended attribute; nil when it has none of that name.
  package func attribute(_ name: String) -> [UInt8]? {
    var value = [UInt8](repeating: 0, count: 64)
    let length = cl_get_attribute(path, name, &value, value.count)
    return length < 0 ? nil : Array(value.prefix(length))
  }

  /// Sets an extended attribute of users, which cgroups have since Linux 5.7.
  package func set(_ name: String, _ value: String) throws(SystemError) {
    if cl_set_attribute(path, name, value, value.utf8.count) == -1 { throw SystemError("mark cgroup", path) }
  }
}
