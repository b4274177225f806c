// The kernel's table against real sockets.

import Glibc
import Supervisor
import Testing

@Suite("The socket table", .timeLimit(.minutes(5)))
struct SocketTableTests {
  private static let sources: [SocketTable.Source] = [.kernel, .procNet]

  @Test("a TCP listener is found with its inode, its user and the length of its queue", arguments: sources)
  func listener(source: SocketTable.Source) throws {
    let server = try PythonProcess("s = bound(); s.listen(7); say(port(s), inode(s)); wait()")
    let numbers = try server.numbers()
    let found = try SocketTable(source: source).listeners(on: loopback(numbers[0]))
    #expect(found.map(\.inode) == [UInt64(numbers[1])])
    #expect(found.first?.address == loopback(numbers[0]))
    #expect(found.first?.uid == geteuid())
    #expect(found.first?.limit == (source == .kernel ? 7 : 0))
  }

  @Test(
    "an address is taken by every listener that overlaps it, and by no other",
    arguments: sources,
    [
      ("127.0.0.1", ["127.0.0.1", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]"], ["127.0.0.2", "[::1]"]),
      ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "0.0.0.0", "[::]"], ["[::1]"]),
      ("::", ["127.0.0.1", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]"], []),
      ("::1", ["[::1]", "[::]"], ["127.0.0.1", "0.0.0.0"]),
      ("::ffff:127.0.0.1", ["127.0.0.1", "0.0.0.0", "[::]"], ["127.0.0.2", "[::1]"]),
    ])
  func overlap(source: SocketTable.Source, holder: (bound: String, taken: [String], free: [String])) throws {
    let server = try PythonProcess("s = bound('\(holder.bound)'); s.listen(); say(port(s), inode(s)); wait()")
    let numbers = try server.numbers()
    let table = SocketTable(source: source)
    for host in holder.taken {
      let found = try table.listeners(on: SocketAddress(parsing: "\(host):\(numbers[0])"))
      #expect(found.map(\.inode) == [UInt64(numbers[1])], "\(host) is taken by \(holder.bound)")
    }
    for host in holder.free {
      let found = try table.listeners(on: SocketAddress(parsing: "\(host):\(numbers[0])"))
      #expect(found.isEmpty, "\(host) is not taken by \(holder.bound)")
    }
  }

  @Test("[::] with IPV6_V6ONLY leaves IPv4 free")
  func v6Only() throws {
    let server = try PythonProcess(
      """
      s = bound('::', TCP, [(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)])
      s.listen(); say(port(s), inode(s)); wait()
      """)
    let numbers = try server.numbers()
    let table = SocketTable()
    #expect(try table.listeners(on: loopback(numbers[0])).isEmpty)
    let six = try table.listeners(on: SocketAddress(parsing: "[::1]:\(numbers[0])"))
    #expect(six.map(\.inode) == [UInt64(numbers[1])])
    #expect(six.first?.isV6Only == true)
  }

  @Test("SO_REUSEPORT siblings are all named", arguments: sources)
  func siblings(source: SocketTable.Source) throws {
    let server = try PythonProcess(
      """
      share = [(socket.SOL_SOCKET, socket.SO_REUSEPORT)]
      a = bound(LOCAL, TCP, share); b = bound(LOCAL, TCP, share, port(a))
      c = bound('0.0.0.0', TCP, share, port(a))
      for s in (a, b, c): s.listen()
      say(port(a), inode(a), inode(b), inode(c)); wait()
      """)
    let numbers = try server.numbers()
    let found = try SocketTable(source: source).listeners(on: loopback(numbers[0]))
    #expect(Set(found.map(\.inode)) == Set(numbers.dropFirst().map { UInt64($0) }))
  }

  @Test("connections are never listed, neither the client's end nor the accepted one", arguments: sources)
  func connections(source: SocketTable.Source) throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); c = socket.create_connection((LOCAL, port(s))); a, _ = s.accept()
      say(port(s), inode(s), port(c)); wait()
      """)
    let numbers = try server.numbers()
    let table = SocketTable(source: source)
    #expect(try table.listeners(on: loopback(numbers[0])).map(\.inode) == [UInt64(numbers[1])])
    #expect(try table.listeners(on: loopback(numbers[2])).isEmpty)
  }

  @Test("a socket that is bound and does not listen is no listener")
  func boundOnly() throws {
    let server = try PythonProcess("s = bound(); say(port(s)); wait()")
    #expect(try SocketTable().listeners(on: loopback(server.numbers()[0])).isEmpty)
  }

  @Test("a bound UDP socket is found, one that talks to a single peer is not", arguments: sources)
  func datagrams(source: SocketTable.Source) throws {
    let server = try PythonProcess(
      """
      s = bound(LOCAL, UDP); c = bound(LOCAL, UDP); c.connect((LOCAL, port(s)))
      say(port(s), inode(s), port(c)); wait()
      """)
    let numbers = try server.numbers()
    let table = SocketTable(source: source)
    let found = try table.listeners(on: SocketAddress(parsing: "udp:127.0.0.1:\(numbers[0])"))
    #expect(found.map(\.inode) == [UInt64(numbers[1])])
    #expect(try table.listeners(on: SocketAddress(parsing: "udp:127.0.0.1:\(numbers[2])")).isEmpty)
    #expect(try table.listeners(on: loopback(numbers[0])).isEmpty)
  }

  @Test("a listener that speaks MPTCP is found by the inode of its descriptor")
  func multipath() throws {
    let server = try PythonProcess(
      """
      try:
          s = socket.socket(socket.AF_INET, TCP, 262); s.bind((LOCAL, 0)); s.listen(); say(port(s), inode(s))
      except OSError: say(0, 0)
      wait()
      """)
    let numbers = try server.numbers()
    if numbers[0] == 0 { try Test.cancel("this kernel has no MPTCP") }
    #expect(try SocketTable().listeners(on: loopback(numbers[0])).map(\.inode) == [UInt64(numbers[1])])
  }

  @Test("the queue of a listener counts the connections that wait")
  func queue() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(5); cs = [socket.create_connection((LOCAL, port(s))) for _ in range(3)]
      say(port(s), inode(s)); wait()
      """)
    let numbers = try server.numbers()
    let table = SocketTable()
    let queue = try table.queue(ofInode: UInt64(numbers[1]), address: loopback(numbers[0]))
    #expect(queue?.queued == 3)
    #expect(queue?.limit == 5)
    #expect(try table.queue(ofInode: 1, address: loopback(numbers[0])) == nil)
  }

  @Test("connections in TIME_WAIT are counted apart and hold nothing", arguments: sources)
  func timeWait(source: SocketTable.Source) throws {
    let server = try PythonProcess(
      """
      s = bound(LOCAL, TCP, [(socket.SOL_SOCKET, socket.SO_REUSEADDR)]); s.listen(); p = port(s)
      for _ in range(2):
          c = socket.create_connection((LOCAL, p)); a, _ = s.accept(); a.close(); c.recv(1); c.close()
      s.close(); say(p); wait()
      """)
    let address = loopback(try server.numbers()[0])
    let table = SocketTable(source: source)
    #expect(try table.listeners(on: address).isEmpty)
    #expect(try table.timeWait(on: address) == 2)
    #expect(TrialBind.check(address) == .free)
  }

  @Test("many addresses are answered in their order, as each alone would be")
  func batch() throws {
    let server = try PythonProcess(
      """
      ss = [bound() for _ in range(12)]
      for s in ss[:6]: s.listen()
      say(*[port(s) for s in ss]); wait()
      """)
    let addresses = try server.numbers().map { loopback($0) }
    let table = SocketTable()
    let all = try table.listeners(onAnyOf: addresses)
    #expect(all.map(\.count) == [1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    for (address, found) in zip(addresses, all) { #expect(try table.listeners(on: address) == found) }
    #expect(try Set(table.all()).isSuperset(of: all.joined()))
  }
}

@Suite("Unix sockets in the socket table", .timeLimit(.minutes(5)))
struct UnixSocketTableTests {
  @Test(
    "an abstract name is found, for the type that has it", arguments: [SocketTable.Source.kernel, .procNet])
  func abstract(source: SocketTable.Source) throws {
    let name = "fdsupervisor-test-\(getpid())-\(source)"
    let server = try PythonProcess(
      "s = socket.socket(socket.AF_UNIX); s.bind('\\0\(name)'); s.listen(3); say(inode(s)); wait()")
    let inode = UInt64(try server.numbers()[0])
    let table = SocketTable(source: source)
    #expect(try table.listeners(on: .unix(.stream, .abstract(name))).map(\.inode) == [inode])
    #expect(try table.listeners(on: .unix(.datagram, .abstract(name))).isEmpty)
    #expect(try table.listeners(on: .unix(.stream, .abstract(name + "x"))).isEmpty)
  }

  @Test(
    "stream, seqpacket and datagram sockets are found by their path",
    arguments: ["STREAM", "SEQPACKET", "DGRAM"])
  func path(type: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/s"
    let server = try PythonProcess(
      """
      s = socket.socket(socket.AF_UNIX, socket.SOCK_\(type)); s.bind('\(path)')
      if '\(type)' != 'DGRAM':
          s.listen(); c = socket.socket(socket.AF_UNIX, socket.SOCK_\(type))
          c.connect('\(path)'); a, _ = s.accept()
      say(inode(s)); wait()
      """)
    let inode = UInt64(try server.numbers()[0])
    for source in [SocketTable.Source.kernel, .procNet] {
      let found = try SocketTable(source: source).listeners(on: .unix(.stream, .path(path)))
      #expect(found.map(\.inode) == [inode])
    }
  }

  @Test("a path means the listener whose file is there now, however it was spelled")
  func replaced() throws {
    let folder = try TemporaryFolder()
    let server = try PythonProcess(
      """
      os.chdir('\(folder.path)')
      def listen():
          s = socket.socket(socket.AF_UNIX); s.bind('s'); s.listen(); say(inode(s)); return s
      a = listen(); wait(); os.unlink('s'); say(0); wait(); b = listen(); wait()
      """)
    let address = SocketAddress.unix(.stream, .path(folder.path + "/s"))
    let table = SocketTable()
    let first = UInt64(try server.numbers()[0])
    #expect(try table.listeners(on: address).map(\.inode) == [first])
    try server.tell("unlink")
    _ = try server.line()
    #expect(try table.listeners(on: address).isEmpty)
    try server.tell("listen again")
    let second = UInt64(try server.numbers()[0])
    #expect(try table.listeners(on: address).map(\.inode) == [second])
  }
}

/// A folder of one test, gone with its owner.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/fdsupervisor-ports-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("create", "a temporary folder") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in ["s", ""] { remove(name.isEmpty ? path : path + "/" + name) }
  }
}

/// 127.0.0.1 and a port.
func loopback(_ port: Int) -> SocketAddress { .tcp(.v4(0x7f00_0001), port: UInt16(truncatingIfNeeded: port)) }
