// What `fdsupervisord run` understands, and what it refuses with a reason.

import Supervisor
import Testing

import SupervisorDaemon

@Suite("The arguments of run")
struct RunArgumentsTests {
  private func parsed(_ words: String...) throws -> RunArguments {
    guard case .run(let arguments) = try RunArguments.parse(words, in: "/srv/app").get() else {
      Issue.record("it asks for help")
      return RunArguments()
    }
    return arguments
  }

  private func complaint(_ words: String...) -> String? {
    if case .failure(let error) = RunArguments.parse(words, in: "/srv/app") { error.description } else { nil }
  }

  @Test("what stands behind -- is the command, whatever it looks like")
  func command() throws {
    let arguments = try parsed("--listen", "8000", "--", "flask", "run", "--watch", "--")
    #expect(arguments.command == ["flask", "run", "--watch", "--"])
    #expect(arguments.listen.map(\.port) == [8000])
    #expect(arguments.watching == .automatic)
  }

  @Test("options take their value behind = or as the next word")
  func values() throws {
    let arguments = try parsed("--watch=src/**", "-w", "*.py", "--delay=100ms", "-p", "6000", "web")
    #expect(arguments.watch == ["src/**", "*.py"])
    #expect(arguments.watching == .always)
    #expect(arguments.delay == .milliseconds(100))
    #expect(arguments.port == 6000)
    #expect(arguments.services == ["web"])
  }

  @Test("patterns may be paths as a shell completes them")
  func patterns() throws {
    let arguments = try parsed(
      "-w", ".", "-w", "./src/*.py", "-w", "/srv/app/static/", "-w", "src", "-i", "!./a.log", "-i", "/build")
    #expect(arguments.watch == ["*", "/src/*.py", "/static/", "src"])
    #expect(arguments.ignore == ["!/a.log", "/build"])
  }

  @Test(
    "a mistake is named with what to do",
    arguments: [
      (["--"], "there is no command behind --"),
      (["--listn", "8000"], "unknown option \"--listn\""),
      (["--listen"], "--listen wants a value"),
      (["--port", "0"], "--port wants a number from 1 to 65535, not \"0\""),
      (["--delay", "soon", "--", "x"], "--delay wants a time as \"50ms\" or \"1s\", not \"soon\""),
      (
        ["--watch", "../lib", "--", "x"],
        "--watch \"../lib\": the pattern has '.' or '..' in it; patterns go down from the folder that is watched, "
          + "without them"
      ),
      (["-i", "!", "--", "x"], "-i \"!\": the pattern matches nothing"),
      (["--stdin"], "--stdin is for one command: fdsupervisord run --stdin -- COMMAND"),
      (["--stdin", "-d", "--", "x"], "--stdin and --detach exclude each other"),
      (["-f", "A", "-c", "B"], "--procfile and --config exclude each other"),
      (["-f", "A", "--", "x"], "a command and a file of services exclude each other"),
    ])
  func mistakes(_ words: [String], _ message: String) {
    guard case .failure(let error) = RunArguments.parse(words, in: "/srv/app") else {
      Issue.record("it is accepted")
      return
    }
    #expect(error.description == message)
  }

  @Test("a command that lacks its -- is told so")
  func missingDashes() throws {
    #expect(complaint("flask", "--", "run")?.contains("stands before --") == true)
  }
}
