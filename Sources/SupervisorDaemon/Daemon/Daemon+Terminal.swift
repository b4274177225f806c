// A service that has the daemon's own terminal (`run --stdin`), while a person stops and continues the daemon.

import Glibc
import Supervisor

extension Daemon {
  /// Ctrl-Z: a program that still read the terminal would take the shell's keys.
  ///
  /// It is in a session of its own, where the terminal's job control does not reach (tty_ioctl(4), setsid(2)).
  func stopTerminalUsers() { signalTerminalUsers(SIGSTOP) }

  /// Back in the foreground.
  func continueTerminalUsers() { signalTerminalUsers(SIGCONT) }

  private func signalTerminalUsers(_ signal: Int32) {
    for runtime in runtimes where runtime.definition.usesTerminal {
      guard let main = runtime.main else { continue }
      do throws(SystemError) { _ = try main.pidfd.send(signal) } catch { report([error], for: runtime) }
    }
  }
}
