// Programs that know no convention, unmodified, behind an owned socket.

import Glibc
import Supervisor
import Testing

@Suite("A program that binds by itself", .timeLimit(.minutes(5))) struct InterceptionTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private var host: String { String(address.split(separator: ":")[0]) }
  private var port: String { String(address.split(separator: ":")[1]) }

  private func configuration(_ script: String, pass: String = "intercept", more: String = "") throws -> String
  {
    try world.write(
      """
      import os, socket, sys
      def serve(s):
          s.setblocking(True)
          while True:
              connection, _ = s.accept()
              connection.sendall(b"%d\\n" % os.getpid())
              connection.close()
      host, port = "\(host)", \(port)
      \(script)

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

  /// Waits until the service answers: nothing tells when it has bound.
  private func answers() throws {
    let status = try world.status()
    do {
      #expect(try Client.ask(address) == status.pid)
    } catch {
      Issue.record("\(error)\n\(world.log)")
    }
  }

  private func serves(_ script: String, pass: String = "intercept", more: String = "") throws {
    try world.start(try configuration(script, pass: pass, more: more), running: ["app"])
    let inode = try world.inode()
    try answers()
    for _ in 0..<2 {
      try world.restart()
      try answers()
    }
    #expect(try world.inode() == inode)
  }

  @Test(
    "gets the owned listener in its place, as it would find its own: bound, listening, non-blocking or not")
  func plain() throws {
    try serves(
      """
      s = socket.socket()
      s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      s.setblocking(False)
      before = os.fstat(s.fileno()).st_ino
      s.bind((host, port))
      assert os.fstat(s.fileno()).st_ino != before
      assert s.getsockname() == (host, port)
      assert not os.get_inheritable(s.fileno())
      assert not os.get_blocking(s.fileno())
      s.listen(5)
      assert "LISTEN_FDS" not in os.environ
      serve(s)
      """)
  }

  @Test("as an IPv4-mapped address of IPv6")
  func mapped() throws {
    try serves(
      """
      s = socket.socket(socket.AF_INET6)
      s.bind(("::ffff:" + host, port))
      s.listen(5)
      serve(s)
      """)
  }

  @Test("a second time, in another process, gets the same listener")
  func twice() throws {
    try serves(
      """
      if os.fork() == 0:
          s = socket.socket()
          s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
          s.bind((host, port))
          s.listen(5)
          __import__("signal").pause()
      s = socket.socket()
      s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
      s.bind((host, port))
      s.listen(5)
      serve(s)
      """)
  }

  @Test("a second time does not make the listener blocking for the first, who made it non-blocking meanwhile")
  func staysNonBlocking() throws {
    try serves(
      """
      s = socket.socket()
      s.bind((host, port))
      s.listen(5)
      s.setblocking(False)
      worker = os.fork()
      if worker == 0:
          second = socket.socket()
          second.bind((host, port))
          os._exit(0)
      assert os.waitpid(worker, 0)[1] == 0
      assert not os.get_blocking(s.fileno())
      serve(s)
      """)
  }

  @Test(
    "gets a blocking listener after somebody tried the port with a non-blocking one",
    arguments: ["intercept", "auto"])
  func afterTrial(pass: String) throws {
    try serves(
      """
      with socket.socket() as trial:
          trial.setblocking(False)
          trial.bind((host, port))
          assert not os.get_blocking(trial.fileno())
      s = socket.socket()
      s.bind((host, port))
      assert os.get_blocking(s.fileno())
      s.listen(5)
      serve(s)
      """, pass: pass)
  }

  @Test("under another user, from another thread, after it executed itself again")
  func changed() throws {
    guard geteuid() == 0 else { return }
    try serves(
      """
      if len(sys.argv) == 1:
          os.execv(sys.executable, [sys.executable, "-c", open(__file__).read(), "again"])
      os.setgroups([]); os.setgid(65534); os.setuid(65534)
      import threading
      s = socket.socket()
      t = threading.Thread(target=lambda: s.bind((host, port)))
      t.start(); t.join()
      s.listen(5)
      serve(s)
      """)
  }

  @Test("another address, or port 0, binds as ever")
  func untouched() throws {
    try serves(
      """
      other = socket.socket(); other.bind(("127.0.0.1", 0)); assert other.getsockname()[1] != 0
      name = socket.socket(socket.AF_UNIX); name.bind("\\0app-%d" % os.getpid())
      link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); link.bind((0, 0))
      s = socket.socket(); s.bind((host, port)); s.listen(5)
      serve(s)
      """)
  }

  @Test("every address of the port meets the socket on one of them where the configuration says so")
  func wildcard() throws {
    try serves(
      """
      s = socket.socket(socket.AF_INET6)
      s.bind(("::", port))
      s.listen(5)
      serve(s)
      """, more: "wildcard_bind = true")
  }

  @Test("every address of the port, without that, fails, and the log says what to do")
  func wildcardRefused() throws {
    try world.start(
      try configuration(
        """
        s = socket.socket()
        s.bind(("0.0.0.0", port))
        """))
    try eventually("the log tells it") { world.log.contains("wildcard_bind = true") ? true : nil }
  }

  @Test("in mode auto, it gets them either way")
  func auto() throws {
    try serves(
      """
      assert os.environ["LISTEN_FDS"] == "1" and int(os.environ["LISTEN_PID"]) == os.getpid()
      s = socket.socket()
      s.bind((host, port))
      s.listen(5)
      assert os.fstat(s.fileno()).st_ino == os.fstat(3).st_ino
      serve(s)
      """, pass: "auto")
  }

  @Test("by default, too")
  func byDefault() throws {
    let text = try configuration(
      """
      assert os.environ["LISTEN_FDS"] == "1"
      s = socket.socket()
      s.bind((host, port))
      s.listen(5)
      serve(s)
      """)
    try world.start(text.replacing("pass = \"intercept\"", with: ""), running: ["app"])
    try answers()
  }

  @Test("by default, only as LISTEN_FDS where the daemon lacks the rights, which the log tells once")
  func withoutRights() throws {
    let text = try configuration("serve(socket.socket(fileno=3))").replacing("pass = \"intercept\"", with: "")
    // Root without the capability; who isn't root has none anyway.
    let prefix = geteuid() == 0 ? ["/usr/bin/env", "setpriv", "--bounding-set", "-sys_admin"] : []
    try world.start(text, prefix: prefix, running: ["app"])
    try answers()
    try world.restart()
    try answers()
    #expect(world.log.split(separator: "can't be intercepted").count == 2, "\(world.log)")
  }

  @Test("long after its launch, when the daemon was replaced meanwhile")
  func afterReexec() throws {
    let fifo = world.makeFifo("go")
    try world.start(
      try configuration(
        """
        open("\(fifo)").read()
        s = socket.socket()
        s.bind((host, port))
        s.listen(5)
        serve(s)
        """), running: ["app"])
    #expect(try world.ctl("reexec").status == 0, "\(world.log)")
    try world.open(fifo: "go")
    try answers()
  }

  @Test("what it starts does not inherit the port")
  func leak() throws {
    try serves(
      """
      s = socket.socket()
      s.bind((host, port))
      s.listen(5)
      assert os.system("ls -l /proc/self/fd | grep -q 'socket:\\\\[%d\\\\]'" % os.fstat(s.fileno()).st_ino) != 0
      serve(s)
      """)
  }

  private static let hasNode = access("/usr/bin/node", X_OK) == 0
  private static let hasCompiler = access("/usr/bin/cc", X_OK) == 0
  private static let hasJava = access("/usr/bin/java", X_OK) == 0
  private static let hasBusybox = access("/bin/busybox", X_OK) == 0

  /// A web server that answers with its pid, or with anything.
  private func program(_ command: [String]) throws {
    let words = command.map { "\"\($0)\"" }.joined(separator: ", ")
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = [\(words)]
      sockets = ["web"]
      pass = "intercept"
      directory = "\(world.folder.path)"
      """, running: ["app"])
    let inode = try world.inode()
    for _ in 0..<2 {
      #expect(try Client.get(address).hasPrefix("HTTP/1."))
      try world.restart()
    }
    #expect(try world.inode() == inode)
  }

  @Test("in Node, through libuv", .enabled(if: hasNode, "node is not installed"))
  func node() throws {
    try world.write(
      "require('http').createServer((q, r) => r.end('x')).listen(\(port), '\(host)')\n", to: "server.js")
    try program(["node", world.path("server.js")])
  }

  @Test(
    "in Java, which binds an IPv6 socket for an IPv4 address", .enabled(if: hasJava, "java is not installed"))
  func java() throws {
    try world.write(
      """
      import com.sun.net.httpserver.*;
      import java.net.InetSocketAddress;
      public class Server {
        public static void main(String[] arguments) throws Exception {
          HttpServer server = HttpServer.create(new InetSocketAddress("\(host)", \(port)), 0);
          server.createContext("/", q -> { q.sendResponseHeaders(200, -1); q.close(); });
          server.start();
        }
      }

      """, to: "Server.java")
    try program(["java", "-XX:TieredStopAtLevel=1", world.path("Server.java")])
  }

  @Test("in busybox", .enabled(if: hasBusybox, "busybox is not installed"))
  func busybox() throws {
    try world.write("hello", to: "index.html")
    try program(["busybox", "httpd", "-f", "-p", address])
  }

  @Test("in a static binary", .enabled(if: hasCompiler, "there is no C compiler"))
  func staticBinary() throws {
    try world.write(
      """
      #include <arpa/inet.h>
      #include <stdlib.h>
      #include <sys/socket.h>
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
    let compiler = try Spawned(
      "/usr/bin/cc", ["-static", "-o", world.path("server"), world.path("server.c")],
      errors: .file(world.path("cc.log")))
    #expect(try compiler.status(within: .seconds(60)) == 0, "\(world.text(of: "cc.log"))")
    try program([world.path("server"), host, port])
  }

  @Test("in Python's own web server, whose helper leaves the port alone")
  func httpServer() throws {
    try program(["python3", "-m", "http.server", "--bind", host, port])
  }

  @Test("Unix sockets and datagrams as well")
  func others() throws {
    let path = world.path("app.sock")
    try world.start(
      try configuration(
        """
        os.chdir(os.path.dirname(__file__))
        d = socket.socket(type=socket.SOCK_DGRAM)
        d.bind((host, port))
        os.unlink("app.sock")
        u = socket.socket(socket.AF_UNIX)
        u.bind("app.sock")
        u.listen(5)
        s = socket.socket()
        s.bind((host, port))
        s.listen(5)
        open("bound", "w").write("%d %d" % (os.fstat(d.fileno()).st_ino, os.fstat(u.fileno()).st_ino))
        serve(s)
        """
      ).replacing("sockets = [\"web\"]", with: "sockets = [\"web\", \"dns\", \"api\"]")
        + "\n[socket.dns]\nlisten = \"udp:\(address)\"\n[socket.api]\nlisten = \"unix:\(path)\"\n",
      running: ["app"])
    try answers()
    #expect(try world.text(of: "bound") == "\(world.inode("dns")) \(world.inode("api"))")
  }
}
