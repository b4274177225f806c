// One question before anything runs, answered by one key.

import CLinux
import Glibc
import Supervisor

package enum TerminalQuestion {
  /// Asks on the terminal; the key, or nil when there is none of ours, or it went away.
  ///
  /// Waits as long as the person thinks. Ctrl-C ends the program, with the terminal as it was.
  package static func ask(_ question: String) -> UInt8? {
    let number = cl_open("/dev/tty", O_RDWR | O_NOCTTY, 0)
    guard number >= 0 else { return nil }
    let terminal = FileDescriptor(owning: number)
    guard cl_terminal_is_ours(number), cl_terminal_remember(number) == 0 else { return nil }
    let before = signal(SIGINT) { _ in
      cl_terminal_restore()
      signal(SIGINT, SIG_DFL)
      raise(SIGINT)
    }
    defer {
      cl_terminal_restore()
      cl_terminal_forget()
      signal(SIGINT, before)
    }
    var keys: [UInt8] = [0]
    do throws(SystemError) {
      _ = cl_terminal_single_keys(number)
      // Keys that were pressed before they could mean this are no answer.
      tcflush(number, TCIFLUSH)
      try write(question, to: terminal)
      let got = try keys.withUnsafeMutableBufferPointer { room throws(SystemError) in
        try terminal.read(into: UnsafeMutableRawBufferPointer(room))
      }
      let key = keys[0]
      try write(got == 1 && (33...126).contains(key) ? "\(String(UnicodeScalar(key)))\n" : "\n", to: terminal)
      return got == 1 ? key : nil
    } catch {
      return nil
    }
  }

  private static func write(_ text: String, to terminal: borrowing FileDescriptor) throws(SystemError) {
    let bytes = Array(text.utf8)
    _ = try bytes.withUnsafeBufferPointer { all throws(SystemError) in
      try terminal.write(UnsafeRawBufferPointer(all))
    }
  }
}
