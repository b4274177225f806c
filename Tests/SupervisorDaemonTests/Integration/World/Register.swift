// What the fixture's processes wrote about themselves: who they are, and whom of before they met.

import CLinux
import Glibc
import Supervisor
import Testing

/// A file of lines "ROLE PID STARTTIME", and a lock that every descendant of a service inherits.
final class Register {
  let path: String

  struct Entry: Hashable {
    var role: String
    var identity: ProcessIdentity
  }

  init(_ path: String) throws {
    self.path = path
    for name in [path, path + ".lock"] {
      let file = try FileDescriptor.open(name, O_WRONLY | O_CREAT, mode: 0o600)
      // Services under other users write here, too.
      fchmod(file.number, 0o666)
    }
  }

  var entries: [Entry] {
    let text = String(decoding: contents(ofSmallFile: path) ?? [], as: UTF8.self)
    return text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 3, let pid = Int32(words[1]), let start = UInt64(words[2]) else { return nil }
      return Entry(role: String(words[0]), identity: ProcessIdentity(pid: pid, startTime: start))
    }
  }

  func all(_ role: String) -> [Entry] { entries.filter { $0.role == role } }

  /// Those that a new generation found alive at its start.
  var overlaps: [Entry] { entries.filter { $0.role.hasPrefix("overlap") } }

  var living: [Entry] { entries.filter { ProcessTable.isAlive($0.identity) } }

  /// Waits until that many processes have registered in a role.
  @discardableResult func arrival(of role: String, count: Int = 1) throws -> [Entry] {
    try eventually("\(count) × \(role) in the register") {
      let found = all(role)
      return found.count >= count ? found : nil
    }
  }

  /// Whether no process of any service has the lock: also those that never registered are gone.
  var isLockFree: Bool {
    get throws {
      let lock = try FileDescriptor.open(path + ".lock", O_RDWR)
      return flock(lock.number, LOCK_EX | LOCK_NB) == 0
    }
  }

  /// Waits until nobody of any service is left.
  func awaitEmpty(_ what: String, within limit: Duration = .seconds(10)) throws {
    do {
      try eventually("nothing is left after \(what)", within: limit) {
        try living.isEmpty && isLockFree ? true : nil
      }
    } catch let error as NeverHappened {
      throw NeverHappened(what: "\(error.what): \(living)")
    }
  }
}
