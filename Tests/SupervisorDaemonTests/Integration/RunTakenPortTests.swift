// A port that a run wants and somebody else has: a person is asked, and a leftover of the same folder goes by itself.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A taken port", .timeLimit(.minutes(5))) struct RunTakenPortTests {
  private let desk: Desk
  private let address = World.address()

  init() throws {
    desk = try Desk()
    try desk.write(Desk.webServer("mine", at: address), to: "server.py")
  }

  private func stranger() throws -> Spawned {
    let holder = try desk.spawn("misbehaving", ["bind=\(address)", "serve"], output: "holder")
    try eventually("the stranger listens") { try Client.isRefused(address) ? nil : true }
    return holder
  }

  /// A terminal on which the run was started.
  private func terminal(_ options: String) throws -> PseudoTerminal {
    let terminal = try PseudoTerminal(in: desk.folder.path, environment: ["NO_COLOR=1"])
    let program = try ChildProcess.built("fdsupervisord")
    try terminal.type(
      "\(program) run --control \(desk.control) \(options) -- python3 server.py; echo status $?\n")
    try terminal.shows("\(address) is taken")
    return terminal
  }

  private func quit(_ terminal: PseudoTerminal) throws {
    try terminal.type("q")
    try terminal.shows("status 0")
    try terminal.leave()
  }

  @Test("is asked about before anything starts, and f frees it")
  func freedAtStart() throws {
    let holder = try stranger()
    let terminal = try terminal("--listen \(address)")
    try terminal.shows("\(holder.pid)  ")
    try terminal.shows("misbehaving")
    try terminal.shows("since ")
    try terminal.shows("press f to free it, any other key to leave it alone: ")
    try terminal.type("f")
    try terminal.shows("ended pid \(holder.pid)")
    try terminal.shows("generation 1 is ready")
    #expect(try Client.page(address).contains("mine"))
    _ = try holder.status()
    try quit(terminal)
  }

  @Test("is left alone at any other key, and the run does not start")
  func leftAtStart() throws {
    let holder = try stranger()
    let terminal = try terminal("--listen \(address)")
    try terminal.shows("to leave it alone: ")
    try terminal.type("x")
    try terminal.shows("status 1")
    try terminal.leave()
    #expect(holder.isRunning)
  }

  @Test("that the program met by itself is freed by the key f, too, and the program is there")
  func freedLater() throws {
    let holder = try stranger()
    let terminal = try terminal("")
    try terminal.shows("f frees it")
    try terminal.shows("\(holder.pid)  ")
    #expect(holder.isRunning)
    try terminal.type("f")
    try terminal.shows("ended pid \(holder.pid)")
    try terminal.shows("generation 2 is ready")
    #expect(try Client.page(address).contains("mine"))
    _ = try holder.status()
    try quit(terminal)
  }

  /// A run whose keeper and daemon were killed at once, so that a helper of its program goes on with the port.
  private func leaveSomebody() throws -> ProcessIdentity {
    let text = Desk.webServer("mine", at: address)
    try desk.write(
      text.replacing(
        "server.serve_forever()",
        with: """
          import subprocess
          server.socket.set_inheritable(True)
          subprocess.Popen(["sleep", "1000"], close_fds=False, start_new_session=True)
          server.serve_forever()
          """), to: "server.py")
    try desk.start("--", "python3", "server.py")
    try desk.reach("server")
    let helper = try eventually("the helper runs") {
      try desk.family().first { ProcessTable.command(of: $0.pid) == "sleep 1000" }
    }
    let run = try #require(desk.run)
    for keeper in ProcessTable.children(of: run.pid) {
      let stat = try #require(ProcessTable.stat(of: keeper))
      let process = try PidFD.open(stat.identity)
      // Neither can sweep for the other.
      try run.send(SIGSTOP)
      _ = try process.send(SIGKILL)
      try run.send(SIGKILL)
      _ = try run.status()
    }
    // What had no parent to die with has the port.
    #expect(ProcessTable.isAlive(helper), "\(desk.output)")
    #expect(try SocketTable().listeners(on: SocketAddress(parsing: address)).count == 1)
    try desk.write(text, to: "server.py")
    return helper
  }

  @Test(
    "that an earlier run in this directory left is free again without a question",
    arguments: [true, false])
  func leftover(listen: Bool) throws {
    let helper = try leaveSomebody()
    try desk.start(options: (listen ? ["--listen", address] : []) + ["--", "python3", "server.py"])
    try desk.says("a leftover of an earlier run in this directory: ended pid \(helper.pid)")
    try desk.reach("server", generation: listen ? 1 : 2)
    #expect(try Client.page(address).contains("mine"))
    #expect(!ProcessTable.isAlive(helper))
    try desk.end()
  }

  @Test("that a run in another directory left is a stranger's")
  func elsewhere() throws {
    let helper = try leaveSomebody()
    let other = try Desk()
    let run = try other.spawn("fdsupervisord", ["run", "--listen", address, "--", "true"], output: "refusal")
    #expect(try run.status() == 1)
    #expect(other.text(of: "refusal").contains("\(address) is taken"))
    #expect(ProcessTable.isAlive(helper))
    // The one that may goes.
    #expect(try desk.ctl("free", address, "--yes").status == 0)
    #expect(!ProcessTable.isAlive(helper))
  }

  @Test("that another run serves is not taken from it, whatever was asked for")
  func ofAnotherRun() throws {
    try desk.start("--", "python3", "server.py")
    try eventually("it listens") { try Client.isRefused(address) ? nil : true }
    let other = try Desk()
    let run = try other.spawn(
      "fdsupervisord", ["run", "--listen", address, "--take-over", "--", "true"], output: "refusal")
    #expect(try run.status() == 1)
    let said = other.text(of: "refusal")
    #expect(said.contains("\(address) is taken\n"), "\(said)")
    let daemon = try #require(desk.run).pid
    #expect(said.contains("is spared: it belongs to fdsupervisord, pid \(daemon)"), "\(said)")
    #expect(try Client.page(address).contains("mine"))
  }

  @Test(
    "that another user has is told to be hidden, not to be free",
    .enabled(if: geteuid() == 0 && World.isOpenToOthers, "only root can become somebody else"))
  func ofAnotherUser() throws {
    let holder = try stranger()
    let said = desk.path("said")
    let run = try Spawned(
      "/usr/bin/env",
      [
        "-C", "/", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        ChildProcess.built("fdsupervisord"), "run", "--listen", address, "--take-over", "--control",
        "/tmp/fdsupervisor-desk-\(getpid())-\(address).sock", "--", "true",
      ], output: .file(said), errors: .file(said), care: .leashed)
    #expect(try run.status() == 1)
    let text = String(decoding: contents(ofSmallFile: said) ?? [], as: UTF8.self)
    #expect(text.contains("\(address) belongs to user root; root sees who holds it"), "\(text)")
    #expect(holder.isRunning)
  }
}
