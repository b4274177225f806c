// `fdsupervisord run` on a terminal: its lines, its keys, job control, and views from elsewhere.

import Glibc
import Supervisor
import Testing

@Suite("A run on a terminal", .timeLimit(.minutes(5)))
struct ConsoleTests {
  private let folder: TestFolder
  private let program: String

  init() throws {
    folder = try TestFolder()
    program = try ChildProcess.built("fdsupervisord")
  }

  private func terminal(_ environment: String...) throws -> PseudoTerminal {
    try PseudoTerminal(in: folder.path, environment: environment)
  }

  /// The command line of a run whose service says hello, and waits.
  private func run(_ options: String = "", script: String = "echo hello; exec sleep 1000") -> String {
    "\(program) run --control \(folder.path)/control --name web --no-watch --pass none \(options) -- /bin/sh -c '\(script)'"
  }

  /// Starts it, and waits for its first words.
  private func started(_ options: String = "", script: String = "echo hello; exec sleep 1000") throws
    -> PseudoTerminal
  {
    let terminal = try terminal("NO_COLOR=1")
    try terminal.type(run(options, script: script) + "\n")
    try terminal.shows("web | hello")
    return terminal
  }

  /// Its own modes again: lines, with echo.
  private func expectOwnModes(_ terminal: PseudoTerminal) throws {
    try terminal.type("stty -a; echo 'mo''des'\n")
    try terminal.shows(" icanon")
    try terminal.shows(" echo ")
    try terminal.shows("modes")
  }

  /// After `fg`: a signal tells the run, and until then keys are the shell's.
  private func awaitKeys(_ terminal: PseudoTerminal) throws {
    try eventually("the keys work") { () -> Bool? in
      try terminal.type("?")
      do { try terminal.shows("this text", within: .seconds(1)) } catch { return nil }
      return true
    }
  }

  private func quit(_ terminal: PseudoTerminal, with key: String = "q") throws {
    try terminal.type(key)
    try terminal.shows("ready> ")
    try terminal.leave()
  }

  @Test("answers each key, and gives the terminal back when it ends")
  func keys() throws {
    let terminal = try started()
    try terminal.type("?")
    try terminal.shows("r  restart every service")
    try terminal.type("s")
    try terminal.shows("NAME")
    try terminal.shows("web")
    try terminal.type("t")
    try terminal.shows("sleep 1000")
    try terminal.type("\u{1B}[A\u{1B}Or")
    try terminal.type("r")
    try terminal.shows("web > generation 2 is ready in ")
    try terminal.type("q")
    try terminal.shows("stopping all services")
    try terminal.shows("ready> ")
    try expectOwnModes(terminal)
    try terminal.leave()
  }

  @Test("answers keys when its program has failed, too; r starts it again")
  func failed() throws {
    let terminal = try terminal("NO_COLOR=1")
    try terminal.type(
      "\(program) run --control \(folder.path)/control --name web --watch none -- /bin/sh -c 'echo hello; exit 3'\n"
    )
    for _ in 0..<2 {
      try terminal.shows("web | hello")
      try terminal.shows("web > waiting for a change; r starts it")
      try terminal.type("r")
    }
    try terminal.shows("web > waiting for a change; r starts it")
    try quit(terminal)
  }

  @Test("ends in order at Ctrl-C, and at once at the second")
  func interrupt() throws {
    let terminal = try started(script: "trap \"\" TERM; echo hello; while :; do sleep 1000; done")
    try terminal.type("\u{3}")
    try terminal.shows("SIGINT: stopping all services")
    try terminal.type("\u{3}")
    try terminal.shows("SIGINT again: killing what is left")
    try terminal.shows("ready> ")
    try expectOwnModes(terminal)
    try terminal.leave()
  }

  @Test("stops at Ctrl-Z with the terminal as it was, and goes on with fg; the services do not notice")
  func jobControl() throws {
    let terminal = try started()
    try terminal.type("\u{1A}")
    try terminal.shows("the services go on")
    try terminal.shows("ready> ")
    try expectOwnModes(terminal)
    try terminal.type("fg\n")
    try terminal.shows("/bin/sh -c")
    try awaitKeys(terminal)
    try terminal.type("s")
    try terminal.shows("STATE")
    try quit(terminal)
  }

  @Test("takes no key in the background, and every key when it comes to the foreground")
  func background() throws {
    let terminal = try terminal("NO_COLOR=1")
    try terminal.type(run() + " &\n")
    try terminal.shows("web | hello")
    try terminal.type("echo sum: $((20+22)) q\n")
    try terminal.shows("sum: 42 q")
    try expectOwnModes(terminal)
    try terminal.type("fg\n")
    try terminal.shows("/bin/sh -c")
    try awaitKeys(terminal)
    try quit(terminal)
  }

  @Test("has colours on a terminal, and none in a pipe")
  func colours() throws {
    let terminal = try terminal()
    try terminal.type(run() + "\n")
    try terminal.shows("|\u{1B}[0m hello")
    try terminal.type("q")
    try terminal.shows("ready> ")
    try terminal.type(run(script: "printf \"\\033[31mred\\033[0m\\n\"") + " 2>&1 | od -c | grep -c 033\n")
    try terminal.shows("0\r\nready> ")
    try terminal.leave()
  }

  @Test("with --stdin lets a person talk to the program's debugger")
  func debugger() throws {
    let text = Array("number = 41\nbreakpoint()\nprint('sum', number)\n".utf8)
    let file = try FileDescriptor.open(folder.path + "/app.py", O_WRONLY | O_CREAT, mode: 0o644)
    _ = try text.withUnsafeBytes { try file.write($0) }
    let terminal = try terminal("NO_COLOR=1")
    try terminal.type(
      "\(program) run --control \(folder.path)/control --no-watch --stdin -- python3 app.py\n")
    try terminal.shows("(Pdb) ")
    try terminal.type("number += 1\n")
    try terminal.shows("(Pdb) ")
    try terminal.type("c\n")
    try terminal.shows("sum 42")
    try terminal.shows("ready> ")
    try expectOwnModes(terminal)
    try terminal.leave()
  }

  @Test("is shown by a second run in the same place, whose Ctrl-C leaves it running, and whose q ends it")
  func attached() throws {
    let first = try started()
    let second = try terminal("NO_COLOR=1")
    try second.type("\(program) run --control \(folder.path)/control\n")
    try second.shows("attached to the run")
    try second.shows("web | hello")
    try second.type("s")
    try second.shows("STATE")
    try second.type("r")
    try second.shows("web | hello")
    try first.shows("web | hello")
    try second.type("\u{3}")
    try second.shows("the run goes on")
    try second.shows("ready> ")
    try expectOwnModes(second)
    try first.type("s")
    try first.shows("STATE")
    try second.type("\(program) run --control \(folder.path)/control | cat\n")
    try second.shows("web | hello")
    try second.type("q")
    try second.shows("the run has ended")
    try second.shows("ready> ")
    try second.leave()
    try first.shows("ready> ")
    try first.leave()
  }
}
