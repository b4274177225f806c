// A view of a run that goes on elsewhere: its lines, and the same keys.

import CLinux
import Glibc
import Supervisor

/// What a second `run` in a directory does.
package enum AttachedRun {
  /// Shows the run behind a control socket until it ends or the person leaves; nil when there is none.
  package static func join(_ control: String, _ arguments: RunArguments) -> Int32? {
    let view: AttachedView
    do {
      let loop = try EventLoop()
      view = try AttachedView(control, loop)
    } catch let error as SystemError where [ENOENT, ENOTDIR, ECONNREFUSED].contains(error.code) {
      return nil
    } catch {
      Program.complain("fdsupervisord: cannot show the run at \(control): \(error)")
      return 1
    }
    if !arguments.command.isEmpty || !arguments.services.isEmpty {
      Program.complain(
        "fdsupervisord: a run goes on in this directory, and is shown; what was asked for here is not started"
      )
    }
    return view.run()
  }
}

/// One view on a terminal, or on a pipe.
private final class AttachedView {
  private let loop: EventLoop
  private let control: String
  private let output: NonBlockingOutput
  private let colours: LogContext.Colours
  private var terminal: Terminal?
  private var stream: LoopCall?
  /// What keys asked for.
  private var calls: [Int: LoopCall] = [:]
  private var nextCall = 0
  private var signals: [EventSource] = []

  init(_ control: String, _ loop: EventLoop) throws {
    (self.control, self.loop) = (control, loop)
    let number = try retrying("duplicate standard output") { cl_fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) }
    output = try NonBlockingOutput(FileDescriptor(owning: number), loop: loop)
    colours = LogContext.colours(of: output)
    stream = try LoopCall(
      .attach, AttachParameters(lines: ConsoleTap.remembered, colours: colours == .on), more: true,
      to: control,
      loop: loop
    ) { [weak self] in self?.streamed($0) }
    signals = [
      try loop.signal(SIGINT) { [weak self] in self?.leave() },
      try loop.signal(SIGTERM) { [weak self] in self?.leave() },
      try loop.signal(SIGHUP) { [weak self] in self?.leave() },
    ]
    let events = Terminal.Events(
      keys: { [weak self] in self?.typed($0) }, hungUp: { [weak self] in self?.leave() })
    terminal = try Terminal(loop: loop, events)
    say(
      "attached to the run of this directory; " + (terminal == nil ? "Ctrl-C leaves it" : "? shows the keys"))
  }

  func run() -> Int32 {
    defer {
      terminal?.restore()
      output.flush()
    }
    do throws(SystemError) {
      return try loop.run()
    } catch {
      Program.complain("fdsupervisord: \(error)")
      return 1
    }
  }

  private func show(_ lines: [String]) { output.write(Array(lines.map { $0 + "\n" }.joined().utf8)) }

  private func say(_ text: String) {
    show([colours == .on ? "\u{1B}[1m\(text)\u{1B}[0m" : text])
  }

  private func streamed(_ event: LoopCall.Event) {
    switch event {
    case .reply(let parameters, _):
      do throws(WireError) {
        show(try Wire.decode(LogsReply.self, from: parameters).lines)
      } catch { end("the run says what this program does not understand: \(error)", status: 1) }
    case .refused(let message): end(message, status: 1)
    case .ended:
      if isThere {
        end(
          "this view was stopped for too long: the run let go of it; fdsupervisord run shows it again",
          status: 1)
      } else {
        end("the run has ended", status: 0)
      }
    }
  }

  /// Somebody answers at the control socket.
  private var isThere: Bool {
    do throws(SystemError) {
      let socket = try UnixStream.make(.blocking)
      try UnixStream.connect(socket, to: control)
      return true
    } catch {
      return false
    }
  }

  private func leave() {
    end(
      "left; the run goes on: fdsupervisord run shows it again, fdsupervisorctl shutdown ends it", status: 0)
  }

  private func end(_ text: String, status: Int32) {
    guard let stream = stream.take() else { return }
    stream.cancel()
    say(text)
    loop.exit(status)
  }

  private func typed(_ bytes: [UInt8]) {
    for command in KeyCommand.commands(in: bytes, .attached) { carryOut(command) }
  }

  private func carryOut(_ command: KeyCommand) {
    let style: TerminalStyle = colours == .on ? .coloured : .plain
    let all = ServiceSelection(names: [], all: true)
    switch command {
    case .restart:
      // What becomes of it, the lines of the console tell.
      call(.restart, all, as: OperationReply.self) { _ in [] }
    case .status:
      call(.status, all, as: StatusReply.self) { StatusText.lines($0, now: Clock.wallClock(), style: style) }
    case .tree: call(.tree, all, as: TreeReply.self) { TreeText.lines($0, style: style) }
    case .quit: call(.shutdown, NoParameters(), as: NoParameters.self) { _ in [] }
    case .detach: leave()
    case .help: show(KeyCommand.help(in: .attached))
    case .separate: show([""])
    case .free: break
    }
  }

  private func call<Reply: Decodable>(
    _ method: ControlMethod, _ parameters: some Encodable, as type: Reply.Type,
    _ lines: @escaping (Reply) -> [String]
  ) {
    nextCall += 1
    let key = nextCall
    do {
      calls[key] = try LoopCall(method, parameters, to: control, loop: loop) { [weak self] event in
        guard let self else { return }
        switch event {
        case .reply(let parameters, _):
          do throws(WireError) {
            show(lines(try Wire.decode(type, from: parameters)))
          } catch { say("\(error)") }
        case .refused(let message): say(message)
        case .ended: break
        }
        calls[key]?.cancel()
        calls[key] = nil
      }
    } catch {
      say("cannot ask the run: \(error)")
    }
  }
}
