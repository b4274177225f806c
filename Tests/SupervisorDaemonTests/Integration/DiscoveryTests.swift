// Sockets that nobody named: what a program listens on is found, kept over restarts, and given up when it moves.

import Glibc
import Supervisor
import Testing

@Suite("A socket that the program chose", .timeLimit(.minutes(5))) struct DiscoveryTests {
  private let desk: Desk
  private let address = World.address()

  init() throws { desk = try Desk() }

  private var host: String { String(address.split(separator: ":")[0]) }
  private var port: String { String(address.split(separator: ":")[1]) }

  /// Runs a script in which `listen(host, port)` gives a listener.
  private func start(_ script: String) throws {
    try desk.write(
      """
      import os, socket, sys
      def listen(host, port, family=socket.AF_INET, **options):
          s = socket.socket(family)
          s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
          if options.get("only6"): s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
          s.bind((host, int(port)))
          s.listen(1)
          return s
      def serve(s):
          while True:
              connection, _ = s.accept()
              connection.sendall(b"%d\\n" % os.getpid())
              connection.close()
      def tell(*listeners):
          with open("inodes.new", "w") as file: file.write(" ".join(str(os.fstat(s.fileno()).st_ino) for s in listeners))
          os.rename("inodes.new", "inodes")
      host, port = "\(host)", \(port)
      \(script)

      """, to: "server.py")
    try desk.start("-n", "app", "--", "python3", "server.py")
    try desk.reach("app")
  }

  private func sockets() throws -> [SocketStatus] {
    try desk.call(.sockets, NoParameters(), as: SocketsReply.self).sockets
  }

  private func addresses() throws -> [String] { try sockets().map(\.address).sorted() }

  private func restart() throws {
    unlink(desk.path("inodes"))
    let outcome = try desk.call(.restart, ServiceSelection(names: ["app"]), as: OperationReply.self).outcomes
    #expect(outcome.first?.ok == true, "\(outcome)\n\(desk.output)")
  }

  /// The sockets that the program has, as it told.
  private func inodes() throws -> [UInt64] {
    try eventually("the program told its sockets") {
      let text = contents(ofSmallFile: desk.path("inodes"), limit: 4096).map {
        String(decoding: $0, as: UTF8.self)
      }
      return text?.split(separator: " ").compactMap { UInt64($0) }
    }
  }

  @Test("is the daemon's from its first listen on: over restarts nobody is refused, and its queue is long")
  func restarts() throws {
    try start("serve(listen(host, port))")
    let before = try sockets()
    #expect(before.map(\.address) == [address] && before.map(\.name) == ["port-\(port)"])
    #expect(try #require(before[0].limit) > 1)
    let load = try Load(on: address, folder: desk.folder)
    for _ in 1...5 {
      try restart()
      #expect(try Client.ask(address) == desk.status("app").pid)
    }
    let result = try load.end()
    // What the program had accepted when it was told to end is its own to lose.
    #expect(result.failures.allSatisfy { $0 == "an empty answer" }, "\(result.failures)\n\(desk.output)")
    #expect(!result.answers.isEmpty)
    #expect(try sockets().map(\.inode) == before.map(\.inode))
  }

  @Test("may be one of several, in two processes, by IPv4 and IPv6 apart")
  func several() throws {
    try start(
      """
      a = listen(host, port)
      b = listen("0.0.0.0", port + 1)
      c = listen("::", port + 1, socket.AF_INET6, only6=True)
      tell(a, b, c)
      if os.fork() == 0: serve(listen(host, port + 2))
      serve(a)
      """)
    func all() throws -> [SocketStatus] {
      try eventually("all are found") {
        let all = try sockets()
        return all.count == 4 ? all : nil
      }
    }
    let before = try all()
    for _ in 1...2 {
      #expect(try Set(inodes()).isSubset(of: Set(all().map(\.inode))))
      try restart()
      #expect(try all().map(\.inode) == before.map(\.inode))
    }
    #expect(Set(before.map(\.name)).count == 4)
  }

  @Test("is one for all workers that bind it with SO_REUSEPORT, before and after")
  func workers() throws {
    try start(
      """
      def worker():
          s = socket.socket()
          s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
          s.bind((host, port))
          return s
      listeners = [worker(), worker()]
      for s in listeners: s.listen(1)
      listeners.append(worker())
      listeners[2].listen(1)
      tell(*listeners)
      serve(listeners[0])
      """)
    for _ in 1...2 {
      #expect(try Set(inodes()) == Set(sockets().map(\.inode)))
      #expect(try sockets().count == 1)
      try restart()
    }
  }

  @Test("is given up when the program moves, and only then")
  func moved() throws {
    try desk.write(port, to: "port")
    try start("serve(listen(host, open(\"port\").read()))")
    let other = "\(host):\((Int(port) ?? 0) + 1)"
    try desk.write("\((Int(port) ?? 0) + 1)", to: "port")
    try restart()
    #expect(try addresses() == [address, other].sorted())
    try eventually("the old one is closed") { try addresses() == [other] ? true : nil }
    #expect(try Client.isRefused(address))
    try desk.write("nowhere", to: "port")
    try restartInVain()
    #expect(try addresses() == [other])
  }

  private func restartInVain() throws {
    let generation = try desk.status("app").generation
    _ = try desk.call(.restart, ServiceSelection(names: ["app"]), as: OperationReply.self)
    try desk.reach("app", .failed, generation: generation + 1)
  }

  @Test("listens where the program says: a wildcard is no loopback, and the reverse")
  func exact() throws {
    try desk.write("0.0.0.0", to: "host")
    try start("serve(listen(open(\"host\").read(), port))")
    for next in [host, "0.0.0.0"] {
      try desk.write(next, to: "host")
      try restart()
      #expect(try addresses() == ["\(next):\(port)"])
      #expect(try Client.ask(address) == desk.status("app").pid)
    }
  }

  @Test("may be a Unix socket; port 0, datagrams and connections are left alone")
  func others() throws {
    try start(
      """
      any = listen("127.0.0.1", 0)
      socket.create_connection(any.getsockname())
      socket.socket(type=socket.SOCK_DGRAM).bind((host, port))
      if os.path.exists("app.sock"): os.unlink("app.sock")
      s = socket.socket(socket.AF_UNIX)
      s.bind("app.sock")
      s.listen(1)
      serve(s)
      """)
    let path = desk.path("app.sock")
    for _ in 1...2 {
      #expect(try addresses() == ["unix:\(path)"])
      try restart()
    }
  }

  private static let hasNode = access("/usr/bin/node", X_OK) == 0
  private static let hasCompiler = access("/usr/bin/cc", X_OK) == 0

  @Test("is found in Node", .enabled(if: hasNode, "node is not installed"))
  func node() throws {
    try desk.write(
      "require('http').createServer((q, r) => r.end('x')).listen(\(port), '\(host)')\n", to: "server.js")
    try desk.start("-n", "app", "--", "node", "server.js")
    try serves()
  }

  @Test("is found in Python's own web server")
  func httpServer() throws {
    try desk.start("-n", "app", "--", "python3", "-m", "http.server", "--bind", host, port)
    try serves()
  }

  @Test("is found in a static binary", .enabled(if: hasCompiler, "there is no C compiler"))
  func staticBinary() throws {
    try desk.write(
      """
      #include <arpa/inet.h>
      #include <stdlib.h>
      #include <unistd.h>
      int main(int count, char **arguments) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[count - 1]))};
        inet_pton(AF_INET, arguments[1], &address.sin_addr);
        int s = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(s, (struct sockaddr *)&address, sizeof address) || listen(s, 5)) return 1;
        for (;;) {
          int c = accept(s, 0, 0);
          if (c >= 0 && write(c, "HTTP/1.0 200 OK\\r\\n\\r\\n", 19) == 19) close(c);
        }
      }

      """, to: "server.c")
    let compiler = try Spawned("/usr/bin/cc", ["-static", "-o", desk.path("server"), desk.path("server.c")])
    #expect(try compiler.status(within: .seconds(60)) == 0)
    try desk.start("-n", "app", "--", "./server", host, port)
    try serves()
  }

  private func serves() throws {
    try desk.reach("app")
    let before = try sockets()
    #expect(before.map(\.address) == [address])
    for _ in 0..<2 {
      #expect(try Client.get(address).hasPrefix("HTTP/1."))
      try restart()
    }
    #expect(try sockets().map(\.inode) == before.map(\.inode))
  }
}
