// The keys of a run, and their answers between the lines of its services.

import Glibc
import Supervisor

/// What a person at the terminal of a run sees and does.
package final class Console {
  /// What keys do; whoever has the services carries it out.
  package struct Actions {
    package var restart: () -> Void
    package var status: () -> StatusReply
    package var tree: () -> TreeReply
    package var free: () -> Void
    package var quit: () -> Void
    /// Ctrl-Z, and fg or bg after it.
    package var stopping: () -> Void = {}
    package var continued: () -> Void = {}
    package var hungUp: () -> Void

    package init(
      restart: @escaping () -> Void, status: @escaping () -> StatusReply, tree: @escaping () -> TreeReply,
      free: @escaping () -> Void = {}, quit: @escaping () -> Void, hungUp: @escaping () -> Void
    ) {
      (self.restart, self.status, self.tree) = (restart, status, tree)
      (self.free, self.quit, self.hungUp) = (free, quit, hungUp)
    }
  }

  private let logs: LogContext
  private let actions: Actions
  private var terminal: Terminal?

  /// nil when there is no terminal.
  ///
  /// With `keys: .no` the terminal is the program's, and only Ctrl-Z and its modes are seen to.
  package init?(
    loop: EventLoop, logs: LogContext, keys: Terminal.Keys = .yes, actions: Actions
  ) throws(SystemError) {
    (self.logs, self.actions) = (logs, actions)
    let events = Terminal.Events(
      keys: { [weak self] in self?.typed($0) }, stopping: { [weak self] in self?.stopping() },
      continued: actions.continued, hungUp: actions.hungUp)
    terminal = try Terminal(loop: loop, keys: keys, events)
    if terminal == nil { return nil }
  }

  /// Gives the terminal back.
  package func end() { terminal?.restore() }

  /// What a program that had the terminal did to its modes is undone.
  package func programEnded() { terminal?.programEnded() }

  private func typed(_ bytes: [UInt8]) {
    for command in KeyCommand.commands(in: bytes, .run) { carryOut(command) }
  }

  private func carryOut(_ command: KeyCommand) {
    let style: TerminalStyle = logs.colours == .on ? .coloured : .plain
    switch command {
    case .restart: actions.restart()
    case .status: logs.show(StatusText.lines(actions.status(), now: Clock.wallClock(), style: style))
    case .tree: logs.show(TreeText.lines(actions.tree(), style: style))
    case .free: actions.free()
    case .quit: actions.quit()
    case .help: logs.show(KeyCommand.help(in: .run))
    case .separate: logs.show([""])
    case .detach: break
    }
  }

  private func stopping() {
    logs.log.log(.notice, "stopped: the services go on, their lines wait; fg shows them")
    logs.log.flush()
    actions.stopping()
  }
}
