// Does a holder of a listener wait for connections on it, as far as /proc tells?

import CLinux

package enum ListenerUse {
  /// What one look tells of a process.
  package enum Finding: Hashable, Sendable {
    /// It sleeps in a call that wakes up for one of the descriptors, proc_pid_syscall(5); or that can't be told.
    case waits
    /// It runs: a server between two connections does, and so does a job that computes.
    case runs
    case doesNot
  }

  /// Whether any thread of a process may wait for connections on one of these descriptors.
  ///
  /// True as well when it can't be told: a thread that runs, or a process that may not be looked into (ptrace(2)).
  package static func isPossible(in pid: Int32, on descriptors: Set<Int32>) -> Bool {
    find(in: pid, on: descriptors) != .doesNot
  }

  package static func find(in pid: Int32, on descriptors: Set<Int32>) -> Finding {
    var finding = Finding.doesNot
    for thread in ProcessTable.threads(of: pid) {
      guard let line = text(of: "/proc/\(pid)/task/\(thread)/syscall", limit: 512) else { return .waits }
      if line.hasPrefix("running") {
        finding = .runs
      } else if mayWait(line, for: descriptors, in: pid) {
        return .waits
      }
    }
    return finding == .doesNot && isOf32Bits(pid) ? .waits : finding
  }

  /// The calls of such a process have the numbers of a table of their own, which is not known here.
  ///
  /// Its auxiliary vector (getauxval(3)) has pairs of 32-bit words: where a 64-bit one has the upper half of the first
  /// type, which is 0, it has the first value.
  private static func isOf32Bits(_ pid: Int32) -> Bool {
    guard let vector = contents(ofSmallFile: "/proc/\(pid)/auxv", limit: 8), vector.count == 8 else {
      return false
    }
    return vector[4...].contains { $0 != 0 }
  }

  /// - Parameter line: "288 0x3 0x7ffe… …": the number of the call and its arguments; or "running".
  package static func mayWait(_ line: String, for descriptors: Set<Int32>, in pid: Int32) -> Bool {
    let words = line.split(whereSeparator: \.isWhitespace)
    guard words.count > 2, let number = Int(words[0]) else { return true }
    let arguments = words[1...2].map { UInt64($0.dropFirst(2), radix: 16) ?? .max }
    let first = Int32(truncatingIfNeeded: arguments[0])
    switch cl_waiting_of(number) {
    case CL_WAITS_FOR_ARGUMENT: return descriptors.contains(first)
    case CL_WAITS_FOR_SEVERAL: return true
    case CL_WAITS_FOR_EPOLL:
      // The fdinfo of an epoll descriptor: lines "tfd:        3 events: …" are its list, proc_pid_fdinfo(5).
      guard let text = text(of: "/proc/\(pid)/fdinfo/\(first)") else { return true }
      return text.split(separator: "\n").contains { line in
        let words = line.split(whereSeparator: \.isWhitespace)
        return words.count > 1 && words[0] == "tfd:" && Int32(words[1]).map(descriptors.contains) == true
      }
    case CL_WAITS_FOR_POLL: return polls(at: arguments[0], arguments[1], for: descriptors, pid)
    case CL_WAITS_FOR_SELECT: return selects(below: first, at: arguments[1], for: descriptors, pid)
    default: return false
    }
  }

  /// More descriptors are not looked at: such a process is none that only inherited one.
  private static let mostPolled: UInt64 = 4096

  /// struct pollfd, poll(2): a descriptor of four bytes, then the events.
  private static func polls(
    at address: UInt64, _ count: UInt64, for descriptors: Set<Int32>, _ pid: Int32
  ) -> Bool {
    if count == 0 { return false }
    guard count <= mostPolled, let bytes = memory(of: pid, at: address, count: Int(count) * 8) else {
      return true
    }
    return (0..<Int(count)).contains { index in
      let number = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[index * 8 + $1]) << (8 * UInt32($1)) }
      return descriptors.contains(Int32(bitPattern: number))
    }
  }

  /// The first of the three sets, select(2): one bit a descriptor, in words of the machine (little-endian on both).
  private static func selects(
    below limit: Int32, at address: UInt64, for descriptors: Set<Int32>, _ pid: Int32
  ) -> Bool {
    if address == 0 || limit <= 0 { return false }
    guard limit <= mostPolled, let bytes = memory(of: pid, at: address, count: (Int(limit) + 7) / 8) else {
      return true
    }
    return descriptors.contains { (0..<limit).contains($0) && bytes[Int($0) / 8] >> UInt8($0 % 8) & 1 == 1 }
  }

  private static func memory(of pid: Int32, at address: UInt64, count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    return cl_read_memory(pid, address, &bytes, count) == count ? bytes : nil
  }

  private static func text(of path: String, limit: Int = 1 << 16) -> String? {
    contents(ofSmallFile: path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
  }
}
