import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("Opening a socket", .timeLimit(.minutes(5)))
struct ListenerOpenerTests {
  static let internet: [SocketAddress] = [
    .tcp(loopback, port: 0),
    .tcp(.v6(SIMD16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), scope: 0), port: 0),
    .udp(loopback, port: 0),
    .udp(.v6(SIMD16(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), scope: 0), port: 0),
  ]
  static let anyV6 = IPAddress.v6(SIMD16(repeating: 0), scope: 0)

  private func expectComplete(_ listener: Listener) {
    #expect(fcntl(listener.number, F_GETFD) == FD_CLOEXEC)
    #expect(fcntl(listener.number, F_GETFL) & O_NONBLOCK == 0)
    var status = stat()
    #expect(fstat(listener.number, &status) == 0)
    #expect(listener.inode == UInt64(status.st_ino))
    #expect(listener.origin == .opened)
    #expect(listener.remarks.isEmpty)
    expectServing(listener)
  }

  @Test("every internet kind serves, on the port that it says", arguments: internet)
  func internetKinds(address: SocketAddress) throws {
    let listener = try openOne(definition(address))
    #expect(listener.address.port != 0)
    expectComplete(listener)
    #expect(listener.close().isEmpty)
    #expect(!listener.isOpen)
  }

  @Test("every kind of Unix socket serves at a path", arguments: SocketAddress.UnixKind.allCases)
  func paths(kind: SocketAddress.UnixKind) throws {
    let folder = try TemporaryFolder()
    let listener = try openOne(definition(folder.address(kind)))
    expectComplete(listener)
    #expect(listener.close().isEmpty)
    #expect(folder.entries.isEmpty)
  }

  @Test("every kind of Unix socket serves at an abstract name", arguments: SocketAddress.UnixKind.allCases)
  func abstractNames(kind: SocketAddress.UnixKind) throws {
    let listener = try openOne(
      definition(.unix(kind, .abstract("sockets-test-\(getpid())-\(kind.rawValue)"))))
    expectComplete(listener)
    #expect(listener.close().isEmpty)
  }

  @Test("[::] takes IPv4 as well, unless v6_only is set", arguments: [nil, false, true])
  func dualStack(v6Only: Bool?) throws {
    let listener = try openOne(definition(.tcp(Self.anyV6, port: 0)) { $0.v6Only = v6Only })
    let port = try #require(listener.address.port)
    #expect(option(listener.number, CInt(IPPROTO_IPV6), IPV6_V6ONLY) == (v6Only == true ? 1 : 0))
    if v6Only != true { #expect(connectOnce(.tcp(loopback, port: port)) == 0) }
    #expect(listener.close().isEmpty)
  }

  @Test("several addresses become listeners in their order")
  func order() throws {
    let folder = try TemporaryFolder()
    let listeners = try ListenerOpener.open(
      definition(.tcp(loopback, port: 0), folder.address(), .udp(loopback, port: 0)))
    #expect(listeners.map(\.address.socketKind) == ["tcp", "unix", "udp"])
    for listener in listeners { _ = listener.close() }
  }

  @Test("when one address fails, those before it are closed and their paths removed")
  func allOrNothing() throws {
    let folder = try TemporaryFolder()
    let other = try openOne(definition(.tcp(loopback, port: 0)))
    let error = failure(definition(folder.address(), other.address))
    #expect(error?.address == other.address)
    #expect(folder.entries.isEmpty)
    #expect(other.close().isEmpty)
  }
}

@Suite("Options of a socket", .timeLimit(.minutes(5)))
struct SocketOptionTests {
  static let v6 = ListenerOpenerTests.internet[1]

  @Test("TCP has SO_REUSEADDR, UDP never")
  func reuseAddress() throws {
    for (address, expected) in zip(ListenerOpenerTests.internet, [1, 1, 0, 0] as [CInt]) {
      let listener = try openOne(definition(address))
      #expect(option(listener.number, SOL_SOCKET, SO_REUSEADDR) == expected)
      _ = listener.close()
    }
  }

  @Test("each one reaches the kernel")
  func numbers() throws {
    let listener = try openOne(
      definition(.tcp(loopback, port: 0)) {
        $0.reusePort = true
        $0.freeBind = true
        $0.keepAlive = true
        $0.noDelay = true
        $0.deferAccept = .milliseconds(800)
        $0.fastOpen = 17
        $0.bindToDevice = "lo"
        $0.receiveBuffer = 50_000
        $0.sendBuffer = 60_000
      })
    let fd = listener.number
    let tcp = CInt(IPPROTO_TCP)
    #expect(option(fd, SOL_SOCKET, SO_REUSEPORT) == 1)
    #expect(option(fd, CInt(IPPROTO_IP), IP_FREEBIND) == 1)
    #expect(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1)
    #expect(option(fd, tcp, TCP_NODELAY) == 1)
    #expect(option(fd, tcp, TCP_DEFER_ACCEPT) >= 1)
    #expect(option(fd, tcp, TCP_FASTOPEN) == 17)
    #expect(option(fd, SOL_SOCKET, SO_RCVBUF) == 100_000)
    #expect(option(fd, SOL_SOCKET, SO_SNDBUF) == 120_000)
    var name = [CChar](repeating: 0, count: 16)
    var length = socklen_t(16)
    #expect(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, &name, &length) == 0)
    #expect(name.starts(with: "lo".utf8CString))
    _ = listener.close()
  }

  @Test("with the rights, mark and transparent reach the kernel", .enabled(if: geteuid() == 0))
  func privileged() throws {
    for (address, level, name) in [
      (SocketAddress.tcp(loopback, port: 0), CInt(IPPROTO_IP), IP_TRANSPARENT),
      (Self.v6, CInt(IPPROTO_IPV6), IPV6_TRANSPARENT),
    ] {
      let listener = try openOne(
        definition(address) {
          $0.transparent = true
          $0.mark = 0xffff_fff0
        })
      #expect(option(listener.number, level, name) == 1)
      #expect(UInt32(bitPattern: option(listener.number, SOL_SOCKET, SO_MARK)) == 0xffff_fff0)
      _ = listener.close()
    }
  }

  @Test("without the rights, transparent is an error that names it")
  func refused() async {
    await #expect(processExitsWith: .success) {
      if geteuid() == 0 { #expect(setuid(65534) == 0) }
      let error = failure(definition(.tcp(loopback, port: 1)) { $0.transparent = true })
      #expect(error?.kind == .permissionDenied)
      let text = "cannot set transparent of socket \"web\" (127.0.0.1:1): Operation not permitted; "
      #expect(error?.description == text + "it needs CAP_NET_ADMIN (or root)")
    }
  }

  @Test("a buffer that the kernel caps is remarked on")
  func capped() async {
    await #expect(processExitsWith: .success) {
      if geteuid() == 0 { #expect(setuid(65534) == 0) }
      let listener = try openOne(definition(.udp(loopback, port: 0)) { $0.receiveBuffer = 2_000_000_000 })
      #expect(listener.remarks.count == 1)
      #expect(listener.remarks.first?.contains("instead of 2000000000; raise net.core.rmem_max") == true)
      _ = listener.close()
    }
  }

  @Test("an interface that is not there is an error that says so")
  func noDevice() {
    let error = failure(definition(.tcp(loopback, port: 0)) { $0.bindToDevice = "nowhere0" })
    #expect(error?.step == .option("bind_to_device"))
    #expect(error?.description.hasSuffix("No such device; no interface has this name") == true)
  }

  @Test("a queue as long as configured takes that many clients")
  func backlog() throws {
    let folder = try TemporaryFolder()
    let listener = try openOne(definition(folder.address()) { $0.backlog = 2 })
    let clients = (0..<5).map { _ in
      let fd = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
      return (fd, connectRaw(fd, listener.address))
    }
    // unix(7), listen(2): a queue of 2 holds 3, then a non-blocking connect says EAGAIN.
    #expect(clients.map(\.1) == [0, 0, 0, EAGAIN, EAGAIN])
    for (fd, _) in clients { close(fd) }
    _ = listener.close()
  }

  private func connectRaw(_ fd: CInt, _ address: SocketAddress) -> Int32 {
    let copy = RawSocket(sharing: fd)
    return copy.connect(to: address)
  }
}

extension SocketAddress {
  fileprivate var socketKind: String {
    switch self {
    case .tcp: "tcp"
    case .udp: "udp"
    case .unix(let kind, _): kind.rawValue
    }
  }
}
