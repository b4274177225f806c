import Glibc
import Supervisor
import SupervisorDaemon
import Testing

// Where a test needs a socket to be gone once it is closed, it runs in a process of its own: while another test
// starts a process, that one has copies of all descriptors until it executes its program.
@Suite("The integrity of a listener", .timeLimit(.minutes(5)))
struct ListenerIntegrityTests {
  private static let abstract = SocketAddress.unix(.stream, .abstract("sockets-integrity-\(getpid())"))

  @Test(
    "a healthy one has no damage, and repairing it changes nothing", arguments: ListenerOpenerTests.internet)
  func healthy(address: SocketAddress) throws {
    let listener = try openOne(definition(address))
    let (number, inode) = (listener.number, listener.inode)
    #expect(listener.inspect() == [])
    #expect(listener.prepareForLaunch() == [])
    #expect(listener.number == number)
    #expect(listener.inode == inode)
    expectServing(listener)
    _ = listener.close()
    #expect(listener.inspect() == [])
    #expect(listener.prepareForLaunch() == [])
  }

  @Test(
    "a TCP listener that a service shut down listens again on the same descriptor",
    arguments: [SHUT_RD, SHUT_RDWR])
  func shutDownTCP(how: Int) throws {
    let listener = try openAtGivenPort { .tcp(loopback, port: $0) }
    let inode = listener.inode
    #expect(shutdown(listener.number, CInt(how)) == 0)
    #expect(connectOnce(listener.address) == ECONNREFUSED)
    #expect(listener.inspect() == [.notListening])
    let remark = "socket \"web\" (127.0.0.1:0) had been shut down by the service; it listens again"
    #expect(
      listener.prepareForLaunch().map { $0.replacing(listener.address.description, with: "127.0.0.1:0") } == [
        remark
      ])
    #expect(listener.inspect() == [])
    #expect(listener.inode == inode)
    expectServing(listener)
    _ = listener.close()
  }

  @Test("a Unix or UDP socket that a service shut down is opened anew", arguments: 0..<5)
  func shutDownOthers(which: Int) async {
    await #expect(processExitsWith: .success) { [which = which as Int] in
      let folder = try TemporaryFolder()
      let address = [
        folder.address(.stream), folder.address(.datagram), folder.address(.sequencedPacket), Self.abstract,
        .udp(loopback, port: 0),
      ][which]
      let listener = try openOne(definition(address))
      let (inode, actual) = (listener.inode, listener.address)
      _ = shutdown(listener.number, CInt(SHUT_RDWR))
      #expect(listener.inspect() == [.shutDown])
      let remarks = listener.prepareForLaunch()
      #expect(remarks.count == 1)
      #expect(remarks.first?.contains("had been shut down by the service; it was opened anew") == true)
      #expect(listener.inspect() == [])
      #expect(listener.inode != inode)
      #expect(listener.address == actual)
      expectServing(listener)
      _ = listener.close()
      #expect(folder.entries.isEmpty)
    }
  }

  @Test("a queue that a service made shorter is as long again")
  func backlog() throws {
    let listener = try openOne(definition(.tcp(loopback, port: 0)))
    #expect(listen(listener.number, 0) == 0)
    #expect(listener.prepareForLaunch() == [])
    // Nobody accepts: every one of them has to find room in the queue.
    var clients: [CInt] = []
    for _ in 0..<20 {
      let client = RawSocket(listener.address)
      #expect(client.connect(to: listener.address) == 0)
      clients.append(fcntl(client.fd, F_DUPFD_CLOEXEC, 0))
    }
    for client in clients { close(client) }
    _ = listener.close()
  }

  @Test("O_NONBLOCK is cleared without a word")
  func nonBlocking() throws {
    let listener = try openOne(definition(.tcp(loopback, port: 0)))
    #expect(fcntl(listener.number, F_SETFL, O_NONBLOCK) == 0)
    #expect(listener.inspect() == [.nonBlocking])
    #expect(listener.prepareForLaunch() == [])
    #expect(listener.inspect() == [])
    #expect(fcntl(listener.number, F_GETFL) & O_NONBLOCK == 0)
    _ = listener.close()
  }

  @Test("a filter that a service attached is detached")
  func filter() throws {
    let listener = try openOne(definition(.tcp(loopback, port: 0)))
    struct Program {  // struct sock_fprog, socket(7)
      var length: UInt16
      var blocks: UnsafeMutableRawPointer?
    }
    var dropAll: UInt64 = 0x06  // BPF_RET of 0 bytes
    withUnsafeMutableBytes(of: &dropAll) { block in
      var program = Program(length: 1, blocks: block.baseAddress)
      let size = socklen_t(MemoryLayout<Program>.size)
      #expect(setsockopt(listener.number, SOL_SOCKET, SO_ATTACH_FILTER, &program, size) == 0)
    }
    #expect(listener.inspect() == [.filtered])
    #expect(listener.prepareForLaunch().first?.hasSuffix("it is detached") == true)
    #expect(listener.inspect() == [])
    expectServing(listener)
    _ = listener.close()
  }

  @Test("a datagram socket that a service connected hears everybody again", arguments: [false, true])
  func connected(atPath: Bool) throws {
    let folder = try TemporaryFolder()
    let kind = SocketAddress.UnixKind.datagram
    let listener =
      try atPath ? openOne(definition(folder.address(kind))) : openAtGivenPort { .udp(loopback, port: $0) }
    let peer = try openOne(definition(atPath ? folder.address(kind, "peer") : .udp(loopback, port: 0)))
    let damaged = RawSocket(sharing: listener.number)
    #expect(damaged.connect(to: peer.address) == 0)
    #expect(listener.inspect() == [.connected])
    #expect(listener.prepareForLaunch().count == 1)
    #expect(listener.inspect() == [])
    expectServing(listener)
    _ = listener.close()
    _ = peer.close()
  }

  @Test("a path that a service removed is there again", arguments: SocketAddress.UnixKind.allCases)
  func pathGone(kind: SocketAddress.UnixKind) throws {
    let folder = try TemporaryFolder()
    let listener = try openOne(definition(folder.address(kind)) { $0.mode = 0o600 })
    unlink(folder.path + "/s")
    #expect(listener.inspect() == [.pathGone])
    let remarks = listener.prepareForLaunch()
    #expect(remarks.count == 1)
    #expect(remarks.first?.contains("had lost its path; it was opened anew") == true)
    #expect(listener.inspect() == [])
    #expect(fileStatus(folder.path + "/s").map { $0.st_mode & 0o777 } == 0o600)
    expectServing(listener)
    _ = listener.close()
    #expect(folder.entries.isEmpty)
  }

  @Test("a path that leads to another's living socket is spared until that one is gone")
  func pathReplaced() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let listener = try openOne(definition(folder.address()))
      unlink(folder.path + "/s")
      let other = RawSocket(folder.address())
      #expect(other.bind(to: folder.address()) == 0)
      #expect(listener.inspect() == [.pathReplaced])
      #expect(listener.prepareForLaunch().first?.hasSuffix("Address already in use") == true)
      #expect(listener.inspect() == [.pathReplaced])
      _ = consume other
      #expect(listener.prepareForLaunch().count == 1)
      #expect(listener.inspect() == [])
      expectServing(listener)
      _ = listener.close()
    }
  }

  @Test("a socket whose address a leftover keeps is opened as soon as the leftover is gone")
  func lost() async {
    await #expect(processExitsWith: .success) {
      let datagrams = try openAtGivenPort { .udp(loopback, port: $0) }
      let leftover = RawSocket(sharing: datagrams.number)
      _ = shutdown(leftover.fd, CInt(SHUT_RDWR))
      #expect(datagrams.prepareForLaunch().first?.hasSuffix("Address already in use") == true)
      #expect(datagrams.inspect() == [.lost])
      #expect(datagrams.number == -1)
      _ = consume leftover
      #expect(datagrams.prepareForLaunch().count == 1)
      #expect(datagrams.inspect() == [])
      expectServing(datagrams)
      _ = datagrams.close()
    }
  }
}
