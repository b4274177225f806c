// The command line tool where no daemon is, and where only that of a directory is.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The command line tool without a daemon", .timeLimit(.minutes(5)))
struct AloneTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  /// Runs the tool with a place for the daemon where none is.
  private func run(_ arguments: [String], prefix: [String] = []) throws -> ChildResult {
    let words = prefix + [try ChildProcess.built("fdsupervisorctl")] + arguments
    let name = "run-\(UInt32.random(in: 0...UInt32.max))"
    let tool = try Spawned(
      words[0], Array(words.dropFirst()),
      environment: Spawned.plainEnvironment + ["FDSUPERVISORD_CONTROL=\(world.path("nothing.sock"))"],
      output: .file(world.path(name)), errors: .file(world.path(name + "-errors")))
    let status = try tool.status()
    return ChildResult(status: status, output: world.text(of: name), errors: world.text(of: name + "-errors"))
  }

  /// Runs a script until the test ends; it says "ready" when it is.
  private func python(_ script: String, _ name: String) throws -> Spawned {
    let parts = address.split(separator: ":")
    let prelude = "import os, signal, socket, sys; A = ('\(parts[0])', \(parts[1]))\n"
    let process = try Spawned(
      "/usr/bin/env", ["python3", "-c", prelude + script + "\nprint('ready', flush=True); signal.pause()"],
      output: .file(world.path(name)), errors: .file(world.path(name)), care: .leashed)
    try eventually("\(name) is ready: \(world.text(of: name))") {
      world.text(of: name).contains("ready") ? true : nil
    }
    return process
  }

  private func server() throws -> Spawned {
    try python("s = socket.create_server(A)", "server")
  }

  @Test("free ends who listens, and leaves alone who is only connected")
  func freed() throws {
    let server = try server()
    let client = try python("c = socket.create_connection(A)", "client")
    let result = try run(["free", address])
    #expect(result.status == 0, "\(result)")
    #expect(result.output.contains("ended pid \(server.pid) ") && result.output.contains("with SIGTERM"))
    #expect(result.output.contains("nobody listens on \(address)"))
    #expect(try server.status() == 128 + SIGTERM)
    #expect(client.isRunning)
  }

  @Test("free ends who has a bound UDP socket, not who sends to it")
  func udp() throws {
    let make = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
    let server = try python("s = \(make); s.bind(A)", "server")
    let client = try python("c = \(make); c.connect(A)", "client")
    #expect(try run(["free", "udp:" + address]).status == 0)
    #expect(try server.status() == 128 + SIGTERM)
    #expect(client.isRunning)
  }

  @Test("free of an address that nobody has is done already")
  func nothing() throws {
    let result = try run(["free", address, "--json"])
    #expect(result.status == 0)
    #expect(try Wire.decode(HoldersReply.self, from: Array(result.output.utf8)).holders.isEmpty)
  }

  @Test("free shows on a terminal whom it would end, and ends nobody without a yes")
  func asks() throws {
    let server = try server()
    let script = """
      import pty, sys
      answer, *command = sys.argv[1:]
      pid, terminal = pty.fork()
      if not pid: os.execv(command[0], command)
      said = b''
      while b'[y/N] ' not in said: said += os.read(terminal, 1024)
      os.write(terminal, answer.encode())
      try:
          while chunk := os.read(terminal, 1024): said += chunk
      except OSError: pass
      print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode())
      """
    let tool = try ChildProcess.built("fdsupervisorctl")
    let file = world.path("terminal.py")
    try world.write("import os\n" + script, to: "terminal.py")
    func answer(_ text: String) throws -> String {
      let name = "answer-\(UInt32.random(in: 0...UInt32.max))"
      let process = try Spawned(
        "/usr/bin/env", ["python3", file, text + "\n", tool, "free", address],
        environment: Spawned.plainEnvironment + ["FDSUPERVISORD_CONTROL=\(world.path("nothing.sock"))"],
        output: .file(world.path(name)), errors: .file(world.path(name)))
      #expect(try process.status() == 0)
      return world.text(of: name)
    }
    let refused = try answer("n")
    #expect(refused.hasPrefix("1 ") && refused.contains("pid \(server.pid) "), "\(refused)")
    #expect(refused.contains("End this process? [y/N]"))
    #expect(server.isRunning)
    #expect(try answer("y").hasPrefix("0 "))
    #expect(try server.status() == 128 + SIGTERM)
  }

  @Test("free spares those by whom the command was started")
  func ancestors() throws {
    let tool = try ChildProcess.built("fdsupervisorctl")
    let script = """
      import subprocess
      s = socket.create_server(A)
      r = subprocess.run(['\(tool)', 'free', '\(address)'], capture_output=True, text=True,
        env={'FDSUPERVISORD_CONTROL': '\(world.path("nothing.sock"))'})
      print(r.returncode, r.stderr)
      """
    let shell = try python(script, "shell")
    #expect(shell.isRunning)
    let said = world.text(of: "shell")
    #expect(said.hasPrefix("1 ") && said.contains("is spared: this command was started by it"), "\(said)")
  }

  @Test(
    "a user is told what only root sees, and ends nothing of others",
    .enabled(if: geteuid() == 0 && World.isOpenToOthers, "only root can become somebody else"))
  func otherUser() throws {
    let server = try server()
    let prefix = ["/usr/bin/env", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    let seen = try run(["holders", address], prefix: prefix)
    #expect(seen.status == 0)
    #expect(seen.output.contains("\(address) belongs to user root; root sees who holds it"), "\(seen)")
    #expect(try run(["holders"], prefix: prefix).output.contains(address))
    let result = try run(["free", address], prefix: prefix)
    #expect(result.status == 1)
    #expect(result.output.contains("belongs to user root"), "\(result)")
    #expect(server.isRunning)
  }

  @Test("holders without an address is a table of every port, without escape codes in a pipe")
  func listing() throws {
    let server = try python("s = socket.create_server(A); os.fork()", "server")
    let result = try run(["holders"])
    #expect(result.status == 0)
    #expect(result.output.hasPrefix("PROTO  ADDRESS"))
    #expect(!result.output.utf8.contains(0x1b))
    let lines = result.output.split(separator: "\n").filter { $0.contains(" \(address) ") }
    #expect(lines.count == 1, "\(result.output)")
    #expect(lines.first?.hasPrefix("tcp ") == true && lines.first?.contains(" \(server.pid) ") == true)
    #expect(lines.first?.hasSuffix(" +1 worker") == true)
    // The child has no leash.
    #expect(try run(["free", address]).status == 0)
  }
}

@Suite("The daemon of a directory", .timeLimit(.minutes(5)))
struct DirectoryDaemonTests {
  private let server: TestServer
  private let folder: RuntimeFolder
  private let environment: [String]

  init() throws {
    let server = try TestServer()
    self.server = server
    let base = server.folder.path
    environment = ["XDG_RUNTIME_DIR=\(base)"]
    folder = RuntimeFolder(
      uid: geteuid(), environment: { $0 == "XDG_RUNTIME_DIR" ? base : nil }, ownerOfFolder: { _ in geteuid() }
    )
    try folder.create()
    for name in ["/project", "/project/a", "/project/a/b"] { mkdir(base + name, 0o755) }
    symlink(base + "/project/a", base + "/link")
  }

  private func control(_ name: String) throws -> String {
    ControlPath.ofDirectory(try DirectoryIdentity(of: server.folder.path + name), in: folder)
  }

  private func run(in name: String, _ arguments: String...) throws -> ChildResult {
    let tool = try ChildProcess.built("fdsupervisorctl")
    return try ChildProcess.run(
      "/usr/bin/env", ["-C", server.folder.path + name, tool] + arguments, environment: environment,
      beside: server)
  }

  @Test(
    "is found from below, through a symbolic link, and past a socket that nobody listens on; it is called once"
  )
  func found() throws {
    let (project, stale) = (try control("/project"), try control("/project/a"))
    #expect(symlink(server.path, project) == 0)
    defer { for path in [project, stale] { unlink(path) } }
    let socket = try UnixStream.make(.blocking)
    _ = try UnixStream.withAddress(of: stale) { bind(socket.number, $0, $1) }
    server.answer = {
      $0.reply(OperationReply(outcomes: [.init(service: "app", ok: true, message: "app: done")]))
    }
    for name in ["/project", "/project/a/b", "/link"] {
      let result = try run(in: name, "restart", "app")
      #expect(result.status == 0 && result.output == "app: done\n", "\(name): \(result)")
    }
    #expect(server.calls.map(\.method) == [.restart, .restart, .restart])
    server.answer = { $0.reply(StatusReply(services: [])) }
    #expect(
      try run(in: "/project/a/b", "status").output == "in \(server.folder.path)/project:\nno services\n")
    let elsewhere = try run(in: "", "status")
    #expect(server.calls.count == 4, "\(elsewhere)")
  }

  @Test(
    "is found by a user, below the runtime folder that is his own, else below /tmp",
    .enabled(if: geteuid() == 0 && World.isOpenToOthers, "only root can become somebody else"),
    arguments: [true, false])
  func ofUser(hasRuntimeFolder: Bool) throws {
    let group = try #require(getgrgid(65534).map { String(cString: $0.pointee.gr_name) })
    let server = try TestServer(group: group)
    let base = server.folder.path
    chmod(base, 0o755)
    // A user whom nobody else has, and whose folder below /tmp is only this test's.
    let user = 4_000_000_000 + UInt32(getpid())
    let folder = RuntimeFolder(
      uid: user, environment: { _ in hasRuntimeFolder ? base + "/own" : nil }, ownerOfFolder: { _ in user })
    #expect(folder.path.hasPrefix("/tmp/fdsupervisord-\(user)") != hasRuntimeFolder)
    for path in [base + "/own", base + "/project", folder.path, folder.ofDirectories] {
      mkdir(path, 0o700)
      chown(path, user, 65534)
    }
    let control = ControlPath.ofDirectory(try DirectoryIdentity(of: base + "/project"), in: folder)
    #expect(symlink(server.path, control) == 0)
    defer {
      unlink(control)
      for path in [folder.ofDirectories, folder.path] { rmdir(path) }
    }
    server.answer = { $0.reply(OperationReply(outcomes: [])) }
    let tool = try ChildProcess.built("fdsupervisorctl")
    for verb in ["restart", "wait"] {
      let result = try ChildProcess.run(
        "/usr/bin/env",
        [
          "-C", base + "/project", "setpriv", "--reuid=\(user)", "--regid=65534", "--clear-groups", tool,
          verb, "a",
        ],
        environment: ["XDG_RUNTIME_DIR=\(base)/own"].filter { _ in hasRuntimeFolder }, beside: server)
      #expect(result.status == 0, "\(result)")
    }
    #expect(server.calls.map(\.method) == [.restart, .wait])
  }

  @Test("wait without a name waits for all services")
  func waits() throws {
    let project = try control("/project")
    #expect(symlink(server.path, project) == 0)
    defer { unlink(project) }
    server.answer = { $0.reply(OperationReply(outcomes: [])) }
    #expect(try run(in: "/project", "wait", "--timeout", "60s").status == 0)
    let asked = try #require(server.calls.first).parameters(as: WaitParameters.self)
    #expect(asked == WaitParameters(names: [], all: true, timeout: 60_000))
  }
}
