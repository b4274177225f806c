// Does a holder of a listener wait for connections on it, as far as /proc tells?

import CLinux

package enum ListenerUse {
  /// Whether any thread of a process sleeps in a call that wakes up for one of these descriptors, proc_pid_syscall(5).
  ///
  /// True as well when it can't be told: a thread that runs, or a process that may not be looked into (ptrace(2)).
  package static func isPossible(in pid: Int32, on descriptors: Set<Int32>) -> Bool {
    ProcessTable.threads(of: pid).contains { thread in
      guard let bytes = contents(ofSmallFile: "/proc/\(pid)/task/\(thread)/syscall", limit: 512) else {
        return true
      }
      return mayWait(String(decoding: bytes, as: UTF8.self), for: descriptors) { epoll in
        contents(ofSmallFile: "/proc/\(pid)/fdinfo/\(epoll)").map { String(decoding: $0, as: UTF8.self) }
      }
    }
  }

  /// - Parameters:
  ///   - line: "288 0x3 0x7ffe… …": the number of the call and its arguments; or "running".
  ///   - interests: the fdinfo of an epoll descriptor, whose lines "tfd:        3 events: …" are its list.
  package static func mayWait(
    _ line: String, for descriptors: Set<Int32>, interests: (Int32) -> String?
  ) -> Bool {
    let words = line.split(whereSeparator: \.isWhitespace)
    guard words.count > 1, let number = Int(words[0]) else { return true }
    let argument = words[1].hasPrefix("0x") ? UInt64(words[1].dropFirst(2), radix: 16) : nil
    let first = Int32(truncatingIfNeeded: argument ?? .max)
    switch cl_waiting_of(number) {
    case CL_WAITS_FOR_ARGUMENT: return descriptors.contains(first)
    case CL_WAITS_FOR_SEVERAL: return true
    case CL_WAITS_FOR_EPOLL:
      guard let text = interests(first) else { return true }
      return text.split(separator: "\n").contains { line in
        let words = line.split(whereSeparator: \.isWhitespace)
        return words.count > 1 && words[0] == "tfd:" && Int32(words[1]).map(descriptors.contains) == true
      }
    default: return false
    }
  }
}
