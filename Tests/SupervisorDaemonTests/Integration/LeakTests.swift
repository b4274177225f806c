// A listener that something inherited: told while the service still runs, and who is to blame.

import Glibc
import Supervisor
import Testing

@Suite("An inherited listener", .timeLimit(.minutes(5))) struct LeakTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func start(_ script: String) throws {
    try world.write(
      """
      import os, selectors, socket, subprocess, sys
      s = socket.socket(fileno=3)
      \(script)
      selector = selectors.DefaultSelector()
      selector.register(s, selectors.EVENT_READ)
      s.setblocking(False)
      while True:
          selector.select()
          try:
              connection, _ = s.accept()
          except BlockingIOError:
              continue
          connection.sendall(b"%d\\n" % os.getpid())
          connection.close()

      """, to: "server.py")
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["python3", "\(world.path("server.py"))"]
      sockets = ["web"]
      pass = "systemd"
      stray_timeout = "10ms"
      """, running: ["app"])
    _ = try Client.ask(address)
  }

  private func tree() throws -> [TreeProcess] {
    let reply = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self)
    return try #require(reply.trees.first).processes
  }

  @Test("is told once in a generation, with the command that has it and the one that started that")
  func isTold() throws {
    try start("subprocess.Popen(['sleep', '40'], close_fds=False)")
    try eventually("the log tells it") { world.log.contains("has no use for it") ? true : nil }
    #expect(world.log.contains("\"sleep 40\" inherited \(address) as fd 3"))
    #expect(world.log.contains("server.py\". It would keep the port"))
    let leaking = try tree().filter { $0.leaks == true }
    #expect(leaking.map(\.command) == ["sleep 40"])
    #expect(try world.ctl("tree", "app").output.contains("only inherited"))
  }

  @Test("is nothing to tell of a worker, of a shell above one, or of a helper without it")
  func innocent() throws {
    try start(
      """
      subprocess.Popen(["sleep", "41"])
      if os.fork() != 0:
          os.wait()
      """)
    let processes = try eventually("three processes") { () -> [TreeProcess]? in
      let found = try tree()
      return found.count == 3 ? found : nil
    }
    #expect(processes.allSatisfy { $0.leaks == nil })
    #expect(processes.filter { !$0.holds.isEmpty }.count == 2)
  }
}
