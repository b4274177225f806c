// The terminal that a run stands on: single keys while we are in its foreground, its own modes at all other times.

import CLinux
import Glibc
import Supervisor

/// Our controlling terminal, tty(4).
///
/// In the background it is neither read nor changed: it belongs to the shell then.
package final class Terminal {
  private let loop: EventLoop
  private let descriptor: FileDescriptor
  private var source: EventSource?
  private var signals: [EventSource] = []
  private let events: Events
  private let keys: Keys

  /// Whether single keys are wanted; with `no` the terminal is a service's, and only its modes are given back.
  package enum Keys { case yes, no }

  /// What a terminal tells.
  package struct Events {
    /// What was typed.
    package var keys: ([UInt8]) -> Void
    /// Ctrl-Z: right before this process stops, and right after it goes on.
    package var stopping: () -> Void
    package var continued: () -> Void
    /// It is gone: nobody sees us any more.
    package var hungUp: () -> Void

    package init(
      keys: @escaping ([UInt8]) -> Void, stopping: @escaping () -> Void = {},
      continued: @escaping () -> Void = {}, hungUp: @escaping () -> Void
    ) {
      (self.keys, self.stopping, self.continued, self.hungUp) = (keys, stopping, continued, hungUp)
    }
  }

  /// nil when standard input is no terminal of ours.
  package init?(loop: EventLoop, keys: Keys = .yes, _ events: Events) throws(SystemError) {
    guard isatty(STDIN_FILENO) == 1 else { return nil }
    // A description of our own: O_NONBLOCK on the shared one would surprise the shell (open(2)).
    let number = cl_open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK, 0)
    guard number >= 0 else { return nil }
    descriptor = FileDescriptor(owning: number)
    (self.loop, self.events, self.keys) = (loop, events, keys)
    // Reading from the background stops a process; with this it is an error (tty_ioctl(4), signal(7)).
    signal(SIGTTIN, SIG_IGN)
    signals = [
      try loop.signal(SIGTSTP) { [weak self] in self?.stop() },
      try loop.signal(SIGCONT) { [weak self] in self?.takeUp() },
    ]
    if keys == .yes {
      source = try loop.watch(descriptor.number) { [weak self] in self?.ready($0) }
      source?.setEnabled(.off)
    }
    takeUp()
  }

  deinit { restore() }

  /// Its own modes again; no key is read from here on.
  package func restore() {
    source?.cancel()
    for signal in signals { signal.cancel() }
    signals = []
    cl_terminal_restore()
    cl_terminal_forget()
  }

  /// A program that may have changed the modes is gone: they are as they were when it began.
  package func programEnded() {
    if keys == .no { cl_terminal_restore() }
  }

  /// Begins, or goes on, when we are in the foreground.
  private func takeUp() {
    guard cl_terminal_is_ours(descriptor.number) else {
      source?.setEnabled(.off)
      return
    }
    // Each time: the person may have changed them meanwhile (stty(1)).
    if !isTaken { isTaken = cl_terminal_remember(descriptor.number) == 0 }
    guard keys == .yes else { return }
    _ = cl_terminal_single_keys(descriptor.number)
    source?.setEnabled(.on)
  }

  private var isTaken = false

  /// Ctrl-Z, or SIGTSTP from somebody.
  private func stop() {
    events.stopping()
    source?.setEnabled(.off)
    cl_terminal_restore()
    isTaken = false
    _ = cl_stop_self()
    // Continued. In the background, after `bg`, the terminal is left alone.
    takeUp()
    events.continued()
  }

  private func ready(_ interest: EventLoop.Interest) {
    // It changed hands, and nobody told us: a shell without job control signals.
    guard cl_terminal_is_ours(descriptor.number) else {
      source?.setEnabled(.off)
      if interest.contains(.hungUp) { lose() }
      return
    }
    var buffer = [UInt8](repeating: 0, count: 256)
    do throws(SystemError) {
      let got = try buffer.withUnsafeMutableBufferPointer { room throws(SystemError) in
        try descriptor.read(into: UnsafeMutableRawBufferPointer(room))
      }
      if got == 0 { return lose() }
      events.keys(Array(buffer[..<got]))
    } catch {
      if error.code == EIO { lose() }
    }
  }

  private func lose() {
    source?.cancel()
    cl_terminal_forget()
    events.hungUp()
  }
}
