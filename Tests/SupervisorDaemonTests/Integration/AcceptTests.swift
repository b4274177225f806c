// Programs that serve one connection each, as inetd had them.

import Glibc
import Supervisor
import Testing

@Suite("One instance a connection", .timeLimit(.minutes(5))) struct AcceptTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func start(_ command: [String], _ more: String = "") throws {
    let words = command.map { "\"\($0)\"" }.joined(separator: ", ")
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = [\(words)]
      sockets = ["web"]
      accept = true
      directory = "\(world.folder.path)"
      \(more)
      """, running: ["app"])
  }

  @Test("has the connection as standard input and output, knows its peer, and nothing else is left to it")
  func connection() throws {
    try start(["sh", "-c", "echo $$ $REMOTE_ADDR $REMOTE_PORT; ls /proc/$$/fd; :"])
    let first = try Client(address)
    let words = try first.text().split(whereSeparator: \.isWhitespace)
    #expect(words.count > 3 && words[1].hasPrefix("127.") && words[2] == "\(first.port)")
    #expect(words.dropFirst(3) == ["0", "1", "2"])
    #expect(try Client(address).text().split(separator: " ")[0] != words[0])
  }

  @Test("waits in the backlog when as many as are allowed are served, and is served then")
  func limit() throws {
    try start(["sh", "-c", "echo here; read line"], "max_connections = 2")
    let clients = try (0..<3).map { _ in try Client(address) }
    for client in clients[..<2] { #expect(try client.line() == "here") }
    try eventually("it is told") { world.log.contains("max_connections") ? true : nil }
    #expect(!clients[2].hasAnswer)
    clients[0].close()
    #expect(try clients[2].line() == "here")
  }

  @Test("goes on to its end at a restart, while new ones wait; what it leaves behind is swept")
  func restart() throws {
    try start(["sh", "-c", "sleep 42 & echo here; read line; echo $line"], "stray_timeout = \"10ms\"")
    let old = try Client(address)
    #expect(try old.line() == "here")
    let tool = try world.ctlInBackground("restart", "app")
    try eventually("it stops") { try world.status().state == .stopping ? true : nil }
    let new = try Client(address)
    try old.say("bye\n")
    #expect(try old.line() == "bye")
    #expect(try tool.status() == 0)
    #expect(try new.line() == "here")
    #expect(try world.status().report?.strays.contains { $0.command == "sleep 42" } == true)
  }

  @Test("of a program that is not there is told at the start")
  func missing() throws {
    let spawned = try world.spawn(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["no-such-program"]
      sockets = ["web"]
      accept = true
      """)
    world.adopt(spawned)
    try eventually("the log tells it") {
      world.log.contains("cannot execute no-such-program: No such file or directory") ? true : nil
    }
  }

  @Test(
    "goes on behind a socket that one of them shut down",
    .enabled(if: geteuid() == 0, "who is not root may not reach into his parent everywhere (ptrace_scope)"))
  func shutDown() throws {
    // The acceptor's listener, through the descriptor of another process (pidfd_getfd(2)).
    try world.write(
      """
      import ctypes, os, socket
      libc = ctypes.CDLL(None)
      pidfd = os.pidfd_open(os.getppid())
      listener = socket.socket(fileno=libc.syscall(438, pidfd, 3, 0))
      print("found", flush=True)  # afterwards it is a stray, and swept
      listener.shutdown(socket.SHUT_RD)

      """, to: "shut.py")
    try start(["python3", world.path("shut.py")], "stray_timeout = \"10ms\"")
    #expect(try Client(address).line() == "found")
    try world.reach(generation: 2)
    #expect(world.log.contains("accept on a socket that was shut down"))
    #expect(try eventually("it answers again") { try Client.isRefused(address) ? nil : true })
  }

  @Test("serves git")
  func git() throws {
    let repository = world.path("a.git")
    let make = try Spawned("/usr/bin/git", ["init", "--quiet", "--bare", repository])
    #expect(try make.status() == 0)
    try start(["git", "daemon", "--inetd", "--export-all", "--base-path=\(world.folder.path)"])
    let list = try Spawned(
      "/usr/bin/git", ["ls-remote", "git://\(address)/a.git"], errors: .file(world.path("git.log")))
    #expect(try list.status() == 0, "\(world.text(of: "git.log")) \(world.log)")
  }
}
