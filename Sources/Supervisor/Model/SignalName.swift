// Signal names, signal(7): the numbers of x86-64 and AArch64.

package enum SignalName {
  private static let names: [(String, Int32)] = [
    ("SIGHUP", 1), ("SIGINT", 2), ("SIGQUIT", 3), ("SIGILL", 4), ("SIGTRAP", 5), ("SIGABRT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8), ("SIGKILL", 9), ("SIGUSR1", 10), ("SIGSEGV", 11), ("SIGUSR2", 12), ("SIGPIPE", 13),
    ("SIGALRM", 14), ("SIGTERM", 15), ("SIGSTKFLT", 16), ("SIGCHLD", 17), ("SIGCONT", 18), ("SIGSTOP", 19),
    ("SIGTSTP", 20), ("SIGTTIN", 21), ("SIGTTOU", 22), ("SIGURG", 23), ("SIGXCPU", 24), ("SIGXFSZ", 25),
    ("SIGVTALRM", 26), ("SIGPROF", 27), ("SIGWINCH", 28), ("SIGIO", 29), ("SIGPWR", 30), ("SIGSYS", 31),
  ]

  /// "SIGTERM" for 15, "SIGRTMIN+2" for 36.
  package static func of(_ number: Int32) -> String {
    if let known = names.first(where: { $0.1 == number }) { return known.0 }
    return number >= 34 && number <= 64 ? "SIGRTMIN+\(number - 34)" : "signal \(number)"
  }

  /// Reads "SIGTERM", "TERM", "term", "15", "SIGRTMIN+2"; nil when it is no signal.
  package static func number(_ text: String) -> Int32? {
    if let number = Int32(text) { return (1...64).contains(number) ? number : nil }
    var name = text.uppercased()
    if !name.hasPrefix("SIG") { name = "SIG" + name }
    if name.hasPrefix("SIGRTMIN+"), let offset = Int32(name.dropFirst(9)), (0...30).contains(offset) {
      return 34 + offset
    }
    return names.first { $0.0 == name }?.1
  }

  package static var all: [String] { names.map(\.0) }
}
