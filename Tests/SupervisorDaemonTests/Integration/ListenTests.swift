// listen(2) of programs that know no convention: whose queue it is, and what it says of readiness.

import Glibc
import Supervisor
import Testing

@Suite("An intercepted listen", .timeLimit(.minutes(5))) struct ListenTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func configuration(_ script: String, more: String = "") throws -> String {
    let parts = address.split(separator: ":")
    try world.write(
      """
      import os, socket, sys
      s = socket.socket()
      def bind(): s.bind(("\(parts[0])", \(parts[1])))
      def serve():
          while True:
              connection, _ = s.accept()
              connection.sendall(b"%d\\n" % os.getpid())
              connection.close()
      \(script)

      """, to: "server.py")
    return """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["python3", "\(world.path("server.py"))"]
      sockets = ["web"]
      pass = "intercept"
      \(more)
      """
  }

  private func answers() throws {
    #expect(try Client.ask(address) == world.status().pid, "\(world.log)")
  }

  private func limit() throws -> Int? {
    let sockets = try world.call(.sockets, NoParameters(), as: SocketsReply.self).sockets
    return sockets.first { $0.name == "web" }?.limit
  }

  @Test("leaves the queue of an owned listener as long as it was")
  func queue() throws {
    try world.start(
      try configuration(
        "bind()\ns.listen(1)\nopen(\"listens\", \"w\").close()\nserve()",
        more: "directory = \"\(world.folder.path)\""),
      running: ["app"])
    let before = try limit()
    try eventually("it listens") { access(world.path("listens"), F_OK) == 0 ? true : nil }
    try answers()
    #expect(try limit() == before)
    #expect(before != 1)
  }

  @Test("revives a listener that the program has shut down")
  func revived() throws {
    try world.start(
      try configuration("bind()\ns.listen(1)\ns.shutdown(socket.SHUT_RDWR)\ns.listen(1)\nserve()"),
      running: ["app"])
    try eventually("it answers") {
      do { return try Client.ask(address) } catch { return nil }
    }
  }

  @Test("of any other socket is the kernel's business")
  func foreign() throws {
    try world.start(
      try configuration(
        """
        other = socket.socket()
        other.bind(("127.0.0.1", 0))
        other.listen(3)
        socket.create_connection(other.getsockname()).close()
        name = socket.socket(socket.AF_UNIX)
        name.bind("\\0listen-%d" % os.getpid())
        name.listen(3)
        try:
            socket.socket(type=socket.SOCK_DGRAM).listen(1)
            sys.exit("datagrams listen")
        except OSError as error:
            assert error.errno == 95, error
        bind()
        s.listen(1)
        serve()
        """), running: ["app"])
    try answers()
  }

  @Test("is not seen of who goes through io_uring, and the log tells that it may be so, once")
  func ring() throws {
    try world.start(
      try configuration(
        """
        import ctypes
        for _ in range(2): ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120))
        bind()
        s.listen(1)
        serve()
        """), running: ["app"])
    try answers()
    #expect(world.log.split(separator: "uses io_uring", omittingEmptySubsequences: false).count == 2)
  }

  @Test("makes a service ready, and nothing before it does")
  func readiness() throws {
    let fifo = world.makeFifo("go")
    try world.start(
      try configuration(
        "bind()\nopen(\"\(fifo)\").read()\ns.listen(1)\nserve()", more: "readiness = \"bind\""))
    try world.reach("app", .starting)
    try world.open(fifo: "go")
    try world.reach("app", .running)
    try answers()
  }

  @Test(
    "of a 32-bit program is seen, its bind as well, and that it waits for connections",
    .enabled(if: canCompile, "there is no 32-bit program"))
  func oldArchitecture() throws {
    let (host, port) = (address.split(separator: ":")[0], address.split(separator: ":")[1])
    let bytes = host.split(separator: ".").map { "\($0)" }.joined(separator: ", ")
    try world.write(
      """
      static int kernel(int n, int a, int b, int c) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(n), "b"(a), "c"(b), "d"(c) : "memory");
        return result;
      }
      void _start(void) {
        kernel(425, 0, 0, 0); /* io_uring_setup(2) */
        unsigned char address[16] = {2, 0, \(port) >> 8, \(port) & 255, \(bytes)};
        int create[3] = {2, 1, 0}, s = kernel(102, 1, (int)create, 0);
        int bind[3] = {s, (int)address, 16}, listen[2] = {s, 1}, accept[3] = {s, 0, 0};
        if (kernel(102, 2, (int)bind, 0) || kernel(102, 4, (int)listen, 0)) kernel(1, 3, 0, 0);
        for (;;) {
          int c = kernel(102, 5, (int)accept, 0);
          kernel(4, c, (int)"32\\n", 3);
          kernel(6, c, 0, 0);
        }
      }

      """, to: "old.c")
    #expect(try Self.compile(world.path("old.c"), to: world.path("old")) == 0)
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["\(world.path("old"))"]
      sockets = ["web"]
      pass = "intercept"
      readiness = "bind"
      """, running: ["app"])
    #expect(try Client.ask(address) == 32)
    #expect(world.log.contains("uses io_uring"), "\(world.log)")
    // What it waits in has another number than in a 64-bit program.
    let pid = try #require(try world.status().pid)
    #expect(ListenerUse.isPossible(in: pid, on: Set(0..<16)))
  }

  private static func compile(_ source: String, to program: String) throws -> Int32 {
    try Spawned(
      "/usr/bin/cc", ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-w", "-o", program, source],
      errors: .file(program + ".log")
    ).status(within: .seconds(60))
  }

  /// Whether programs of 32 bits can be made and executed here.
  private static let canCompile: Bool = {
    do {
      let folder = try TestFolder()
      let source = folder.path + "/try.c"
      let text = "void _start(void) { __asm__(\"movl $1, %eax; movl $7, %ebx; int $0x80\"); }\n"
      guard let file = fopen(source, "we") else { return false }
      fputs(text, file)
      fclose(file)
      guard access("/usr/bin/cc", X_OK) == 0, try compile(source, to: folder.path + "/try") == 0 else {
        return false
      }
      return try Spawned(folder.path + "/try", []).status() == 7
    } catch {
      return false
    }
  }()
}
