// Each convention of handing over, with a program that knows nothing else.

import Glibc
import Supervisor
import Testing

@Suite("A program takes its socket", .timeLimit(.minutes(5))) struct HandingOverTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  /// A service in Python that answers with its pid from the socket that `take` makes.
  private func configuration(_ pass: String, _ take: String, more: String = "") throws -> String {
    try world.write(
      """
      import os, socket, sys
      \(take)
      s.setblocking(True)
      while True:
          connection, _ = s.accept()
          connection.sendall(b"%d\\n" % os.getpid())
          connection.close()

      """, to: "server.py")
    return """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["python3", "\(world.path("server.py"))"]
      sockets = ["web"]
      pass = "\(pass)"
      \(more)
      """
  }

  private func serves(_ pass: String, _ take: String) throws {
    try world.start(try configuration(pass, take), running: ["app"])
    let inode = try world.inode()
    for _ in 0..<3 {
      #expect(try Client.ask(address) == world.status().pid, "\(world.log)")
      try world.restart()
    }
    #expect(try world.inode() == inode)
  }

  @Test("as standard input and output, like inetd's wait")
  func standardInput() throws {
    try serves(
      "stdin",
      """
      assert os.fstat(0).st_ino == os.fstat(1).st_ino != os.fstat(2).st_ino
      s = socket.socket(fileno=0)
      """)
  }

  @Test("as Server::Starter tells it")
  func serverStarter() throws {
    try serves(
      "server-starter",
      """
      where, fd = os.environ["SERVER_STARTER_PORT"].split("=")
      assert where == "\(address)" and int(os.environ["SERVER_STARTER_GENERATION"]) > 0
      assert "LISTEN_FDS" not in os.environ
      s = socket.socket(fileno=int(fd))
      """)
  }

  @Test("as Einhorn tells it, who is the parent")
  func einhorn() throws {
    try serves(
      "einhorn",
      """
      assert int(os.environ["EINHORN_MASTER_PID"]) == os.getppid()
      assert os.environ["EINHORN_FD_COUNT"] == "1"
      s = socket.socket(fileno=int(os.environ["EINHORN_FD_0"]))
      """)
  }

  @Test("as Einhorn tells it, and is ready when it acknowledges, before and after an upgrade of the daemon")
  func acknowledgement() throws {
    let fifo = world.makeFifo("go")
    try world.start(
      try configuration(
        "einhorn",
        """
        s = socket.socket(fileno=int(os.environ["EINHORN_FD_0"]))
        open("\(fifo)").read()
        einhorn = socket.socket(socket.AF_UNIX)
        einhorn.connect(os.environ["EINHORN_SOCK_PATH"])
        einhorn.sendall(b'{"command":"worker:ack",')
        einhorn.sendall(b'"pid":%d}\\n' % os.getpid())
        assert einhorn.recv(1) == b""
        """, more: "readiness = \"notify\""))
    try world.reach("app", .starting)
    // What does not come from the service counts for nothing.
    let stranger = try UnixStream.make(.blocking)
    try UnixStream.connect(stranger, to: world.control + ".einhorn")
    var words = Array("{\"command\":\"worker:ack\",\"pid\":1}\n".utf8)
    _ = try words.withUnsafeMutableBytes { try stranger.write(UnsafeRawBufferPointer($0)) }
    #expect(try words.withUnsafeMutableBytes { try stranger.read(into: $0) } == 0)
    #expect(try world.status().state == .starting)
    try world.open(fifo: "go")
    try world.reach()
    let restart = try world.ctlInBackground("restart", "app")
    try world.reach("app", .starting, generation: 2)
    #expect(try world.ctl("reexec").status == 0, "\(world.log)")
    try world.open(fifo: "go")
    let status = try world.reach(generation: 2)
    #expect(try Client.ask(address) == status.pid, "\(world.log)")
    _ = try restart.status()
  }

  @Test("by the variables that its preset fills in")
  func preset() throws {
    try serves(
      "flask",
      """
      assert os.environ["WERKZEUG_RUN_MAIN"] == "true"
      s = socket.socket(fileno=int(os.environ["WERKZEUG_SERVER_FD"]))
      """)
  }

  @Test("and is started again at once when it ends with the status by which it asks for that")
  func wish() throws {
    // The first connection makes it end with 3, as Flask does when a file changed; clients see nothing of it.
    try world.start(
      try configuration(
        "flask",
        """
        s = socket.socket(fileno=int(os.environ["WERKZEUG_SERVER_FD"]))
        if not os.path.exists("changed"):
            s.setblocking(True)
            s.accept()
            open("changed", "w")
            os._exit(3)
        """, more: "directory = \"\(world.folder.path)\"\nbackoff = { initial = \"20s\" }"), running: ["app"])
    let first = try #require(try world.status().pid)
    _ = try Client(address)
    let status = try world.reach(generation: 2)
    #expect(try Client.ask(address) == status.pid && status.pid != first)
  }
}
