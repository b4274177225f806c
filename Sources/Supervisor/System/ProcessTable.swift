// What /proc says of processes. What has gone meanwhile is absent, never an error (proc(5)).

import CLinux
import Glibc

/// The fields of /proc/PID/stat that a supervisor needs.
package struct ProcessStat: Hashable, Sendable {
  package var pid: Int32
  /// The name, up to 15 bytes, as the process likes: it may hold anything.
  package var name: String
  /// R, S, D, T, t, Z, X, I.
  package var state: Character
  package var parent: Int32
  package var group: Int32
  package var session: Int32
  /// The number of its controlling terminal's device; 0 without one.
  package var terminal: UInt32
  package var startTime: UInt64

  package var identity: ProcessIdentity { ProcessIdentity(pid: pid, startTime: startTime) }
}

package enum ProcessTable {
  /// Reads /proc/PID/stat; nil when there is no such process.
  package static func stat(of pid: Int32) -> ProcessStat? {
    contents(ofSmallFile: "/proc/\(pid)/stat").flatMap { parse(stat: $0) }
  }

  /// A process is dead when it is a zombie and so are all its threads: a leader that called
  /// pthread_exit(3) shows Z while others go on, with its descriptors.
  package static func isAlive(_ identity: ProcessIdentity) -> Bool {
    guard let now = stat(of: identity.pid), now.startTime == identity.startTime else { return false }
    guard now.state == "Z" || now.state == "X" else { return true }
    return threads(of: identity.pid).contains { thread in
      guard let bytes = contents(ofSmallFile: "/proc/\(identity.pid)/task/\(thread)/stat"),
        let stat = parse(stat: bytes)
      else { return false }
      return stat.state != "Z" && stat.state != "X"
    }
  }

  /// Parses the bytes of a stat file.
  ///
  /// The name may contain anything, so it ends at the last ")".
  package static func parse(stat bytes: [UInt8]) -> ProcessStat? {
    guard let open = bytes.firstIndex(of: UInt8(ascii: "(")),
      let close = bytes.lastIndex(of: UInt8(ascii: ")")),
      open < close, let pid = number(bytes[..<open].dropLast())
    else { return nil }
    let fields = bytes[(close + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 19, let state = fields[0].first, let parent = number(fields[1]),
      let group = number(fields[2]), let session = number(fields[3]), let terminal = number(fields[4]),
      let start = number(fields[19])
    else { return nil }
    return ProcessStat(
      pid: Int32(truncatingIfNeeded: pid), name: String(decoding: bytes[(open + 1)..<close], as: UTF8.self),
      state: Character(Unicode.Scalar(state)), parent: Int32(truncatingIfNeeded: parent),
      group: Int32(truncatingIfNeeded: group), session: Int32(truncatingIfNeeded: session),
      terminal: UInt32(truncatingIfNeeded: terminal), startTime: UInt64(clamping: start))
  }

  /// The thread numbers of a process.
  package static func threads(of pid: Int32) -> [Int32] { numbers(inFolder: "/proc/\(pid)/task") }

  /// The process that a thread belongs to, "Tgid:" of its status file.
  package static func leader(ofThread thread: Int32) -> Int32? {
    guard let bytes = contents(ofSmallFile: "/proc/\(thread)/status") else { return nil }
    let line = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "Tgid:\t".utf8) }
    return line.flatMap { number($0.dropFirst(6)) }.map { Int32(truncatingIfNeeded: $0) }
  }

  /// Every process of the machine that this /proc shows.
  package static func all() -> [Int32] { numbers(inFolder: "/proc") }

  /// The children of all threads of a process, /proc/PID/task/TID/children (needs CONFIG_PROC_CHILDREN).
  package static func children(of pid: Int32) -> [Int32] {
    threads(of: pid).flatMap { children(of: pid, thread: $0) }
  }

  /// The children that one thread created; for a process with one thread these are all.
  package static func children(of pid: Int32, thread: Int32) -> [Int32] {
    guard let bytes = contents(ofSmallFile: "/proc/\(pid)/task/\(thread)/children") else { return [] }
    return bytes.split(separator: UInt8(ascii: " ")).compactMap {
      number($0).map { Int32(truncatingIfNeeded: $0) }
    }
  }

  /// The command line, arguments joined by spaces, control characters made visible.
  ///
  /// The name in brackets when there is none.
  package static func command(of pid: Int32) -> String? {
    guard let bytes = contents(ofSmallFile: "/proc/\(pid)/cmdline", limit: 4096) else { return nil }
    let arguments = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    if arguments.isEmpty { return stat(of: pid).map { "[\(printable($0.name))]" } }
    return printable(arguments.joined(separator: " "))
  }

  /// What a process is called: its comm, and the last part of the path of its first argument, if it has one.
  package static func names(of stat: ProcessStat) -> [String] {
    guard let bytes = contents(ofSmallFile: "/proc/\(stat.identity.pid)/cmdline", limit: 4096),
      let first = bytes.split(separator: 0).first, let last = first.split(separator: UInt8(ascii: "/")).last
    else { return [stat.name] }
    return [stat.name, String(decoding: last, as: UTF8.self)]
  }

  /// The path of the file that a process executes, /proc/PID/exe; nil when it can't be read.
  package static func program(of pid: Int32) -> String? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/\(pid)/exe", &buffer, buffer.count - 1)
    return length > 0
      ? String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }

  /// The processes above a process, nearest first, up to one whose parent can't be seen.
  package static func ancestors(of pid: Int32) -> [ProcessStat] {
    var found: [ProcessStat] = []
    var next = stat(of: pid)?.parent ?? 0
    while next > 0, found.count < deepest, let stat = stat(of: next) {
      found.append(stat)
      next = stat.parent
    }
    return found
  }

  /// More ancestors than a process can sensibly have; numbers that are reused meanwhile could make a circle.
  private static let deepest = 1024

  /// The effective user id: the owner of /proc/PID.
  package static func user(of pid: Int32) -> UInt32? {
    var owner: UInt32 = 0
    return cl_owner("/proc/\(pid)", &owner) == 0 ? owner : nil
  }

  /// How long ago a process started, from field 22 of its stat (ticks since boot).
  package static func age(ofStartTime startTime: UInt64) -> Duration {
    let ticks = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    let started = startTime * (1_000_000_000 / ticks)
    let now = Clock.sinceBoot()
    return .nanoseconds(Int64(clamping: now > started ? now - started : 0))
  }

  /// Control characters as \xNN: what a process calls itself never reaches a terminal raw.
  package static func printable(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.value < 32 || (127..<160).contains($0.value) }) else {
      return text
    }
    return text.unicodeScalars.map { scalar in
      let control = scalar.value < 32 || (127..<160).contains(scalar.value)
      return control
        ? "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16) : String(scalar)
    }.joined()
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
    var value = 0
    var digits = bytes
    let negative = digits.first == UInt8(ascii: "-")
    if negative { digits = digits.dropFirst() }
    guard !digits.isEmpty else { return nil }
    for byte in digits {
      if byte == UInt8(ascii: "\n") { break }
      guard (48...57).contains(byte) else { return nil }
      value = value &* 10 &+ Int(byte - 48)
    }
    return negative ? -value : value
  }

  private static func numbers(inFolder path: String) -> [Int32] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let number = Int32(name) { found.append(number) }
    }
    return found
  }
}
