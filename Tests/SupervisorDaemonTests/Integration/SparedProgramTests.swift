// Strays that live on, with real programs: a Python server and its helper, a terminal multiplexer.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A real program's stray", .timeLimit(.minutes(5))) struct SparedProgramTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  /// A server whose helper inherits its listener, as os.system() has it.
  private func server(_ options: String) -> String {
    let parts = address.split(separator: ":")
    return """
      import os, socket, subprocess, sys
      listener = socket.socket()
      \(options)
      listener.bind(("\(parts[0])", \(parts[1])))
      listener.listen()
      listener.set_inheritable(True)
      subprocess.Popen(["sleep", "50"], close_fds=False)
      while True:
          client, _ = listener.accept()
          client.sendall(str(os.getpid()).encode() + b"\\n")
          client.close()
      """
  }

  private let reusing = "listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)"

  private func start(_ options: String) throws {
    guard access("/usr/bin/python3", X_OK) == 0 else { try Test.cancel("needs python3") }
    try world.write(server(options), to: "server.py")
    try world.start(
      """
      [service.app]
      command = ["/usr/bin/python3", "\(world.path("server.py"))"]
      ports = ["\(address)"]
      readiness = "listen"
      strays = "release"
      start_limit = { burst = 2, action = "fail" }
      """, running: ["app"])
    try eventually("the helper is there") {
      let trees = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees
      return trees[0].processes.contains { $0.command == "sleep 50" } ? true : nil
    }
  }

  private func expectAlive(_ pid: Int32) {
    #expect(ProcessTable.command(of: pid) == "sleep 50")
  }

  @Test("lives on without the port, which the next generation gets")
  func helper() throws {
    try start(reusing)
    let report = try world.restart()
    let helper = try #require(report.strays.first)
    #expect(
      helper.command == "sleep 50" && helper.fate == .released && helper.taken == [address], "\(report)")
    #expect(report.verified.map(\.finding) == ["free"])
    expectAlive(helper.pid)
    #expect(try Client.ask(address) == world.status().pid)
    let text = try world.ctl("status", "--json").output
    #expect(text.contains("\"retained\":[{"), "\(text)")
    let holders = try Wire.decode(
      HoldersReply.self, from: Array(try world.ctl("holders", address, "--json").output.utf8))
    #expect(!holders.holders.map(\.pid).contains(helper.pid) && !holders.holders.isEmpty, "\(holders)")
  }

  @Test("makes the next bind fail without SO_REUSEADDR, and the log says so")
  func withoutReuse() throws {
    try start("pass")
    let outcome = try world.operate(.restart)
    #expect(!outcome.ok, "\(outcome)")
    #expect(
      world.log.contains("a program that does not set SO_REUSEADDR before bind(2) hears"), "\(world.log)")
  }

  @Test("runs below tmux, whose name is allowed")
  func multiplexer() throws {
    guard access("/usr/bin/tmux", X_OK) == 0 else { try Test.cancel("needs tmux") }
    let tmux = "tmux -S \(world.path("tmux.sock")) -f /dev/null new-session -d 'sleep 51; sleep 52'"
    try world.write("\(tmux)\nsleep 53 &\nexec \"$@\"\n", to: "run.sh")
    let command = try world.plainCommand("serve").dropFirst()
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["sh", "\(world.path("run.sh"))", \(command)
      sockets = ["web"]
      environment = { TERM = "xterm", SHELL = "/bin/sh" }
      stray_allow = ["tmux*"]
      """, running: ["app"])
    _ = try Client.ask(address)
    let report = try world.restart()
    let spared = report.strays.filter { $0.fate == .released }
    #expect(spared.contains { $0.command.hasPrefix("tmux") }, "\(report)")
    #expect(spared.contains { $0.command.contains("sleep 51") }, "\(report)")
    let ended = report.strays.filter { $0.fate == nil }
    #expect(ended.map(\.command) == ["sleep 53"], "\(report)")
    for stray in spared { #expect(ProcessTable.stat(of: stray.pid) != nil) }
    #expect(try Client.ask(address) == world.status().pid)
  }
}
