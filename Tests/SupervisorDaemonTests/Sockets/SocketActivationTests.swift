import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The variables of socket activation", .timeLimit(.minutes(5)))
struct ActivationRequestTests {
  private func parse(_ pid: String?, _ count: String?, _ names: String? = nil) -> ActivationRequest.Outcome {
    ActivationRequest.parse(
      ActivationVariables(pid: pid, count: count, names: names), ownPid: 100, limit: 1000)
  }

  private func ignored(_ outcome: ActivationRequest.Outcome) -> String? {
    if case .ignored(let why) = outcome { why } else { nil }
  }

  @Test("nothing set asks for nothing")
  func nothing() {
    #expect(parse(nil, nil) == .none)
    #expect(parse(nil, nil, "web") == .none)
    #expect(parse("100", "0") == .none)
  }

  @Test("a process id that is not ours is somebody else's request", arguments: ["1", "99", "101"])
  func foreign(pid: String) {
    #expect(ignored(parse(pid, "1"))?.contains("this is process 100") == true)
  }

  @Test(
    "an absurd process id is ignored with a remark",
    arguments: ["", "0", "-100", "+100", " 100", "100 ", "0x64", "1e2", "99999999999", "४", "web\u{1b}[2J"])
  func absurdProcess(pid: String) {
    let why = ignored(parse(pid, "1"))
    #expect(why?.contains("is no process id") == true)
    #expect(why?.unicodeScalars.allSatisfy { $0.value >= 32 } == true)
  }

  @Test(
    "an absurd count is ignored with a remark",
    arguments: ["", "-1", "+1", "x", "1x", " 1", "999999999999999999999", "2147483648"])
  func absurdCount(count: String) {
    #expect(ignored(parse("100", count))?.contains("is no count") == true)
  }

  @Test("one variable without the other is ignored with a remark")
  func halves() {
    #expect(ignored(parse(nil, "1")) == "LISTEN_FDS is set without LISTEN_PID; ignored")
    #expect(ignored(parse("100", nil)) == "LISTEN_PID is set without LISTEN_FDS; ignored")
  }

  @Test("a huge count is cut to what can be open")
  func huge() throws {
    guard case .request(let request) = parse("100", "2147483647") else {
      Issue.record("not understood")
      return
    }
    #expect(request.names.count == 1000)
    #expect(request.remarks == ["LISTEN_FDS is 2147483647, but at most 1000 descriptors can be open"])
  }

  @Test("names go with the descriptors in their order")
  func names() {
    #expect(parse("100", "3", "a::c") == .request(ActivationRequest(names: ["a", nil, "c"], remarks: [])))
    #expect(parse("100", "2") == .request(ActivationRequest(names: [nil, nil], remarks: [])))
  }

  @Test("too few or too many names are remarked on, and those there are count")
  func wrongNames() {
    let few = ActivationRequest(names: ["a", nil], remarks: ["LISTEN_FDNAMES has 1 names for 2 sockets"])
    #expect(parse("100", "2", "a") == .request(few))
    let many = ActivationRequest(names: ["a"], remarks: ["LISTEN_FDNAMES has 2 names for 1 sockets"])
    #expect(parse("100", "1", "a:b") == .request(many))
  }
}

@Suite("Taking over inherited sockets", .timeLimit(.minutes(5)))
struct SocketActivationTests {
  @Test("listening sockets are taken, everything else is said, and the variables are gone")
  func take() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let first: CInt = 200
      let tcp = try openOne(definition(.tcp(loopback, port: 0)))
      let unix = try openOne(definition(folder.address(.sequencedPacket)))
      inherit(tcp.number, as: first)
      inherit(unix.number, as: first + 1)
      let file = open("/dev/null", O_RDONLY)
      inherit(file, as: first + 2)
      // first + 3 is not open; the next ones are no listeners.
      var pair: [CInt] = [0, 0]
      #expect(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &pair) == 0)
      inherit(pair[0], as: first + 4)
      let client = RawSocket(tcp.address)
      #expect(client.connect(to: tcp.address) == 0)
      inherit(client.fd, as: first + 5)
      inherit(file, as: first + 50)
      announce(count: 6, names: "web:x:y:z::w")

      let activation = SocketActivation.take(firstDescriptor: first)
      #expect(activation.inherited.map(\.identity.name) == ["web", "x"])
      #expect(activation.inherited.map(\.identity.address) == [tcp.address, unix.address])
      let remarks = activation.remarks.joined(separator: "\n")
      #expect(remarks.contains("inherited descriptor 202 \"y\" is a device, no socket; ignored"))
      #expect(remarks.contains("descriptor 203, but it is not open"))
      #expect(remarks.contains("inherited descriptor 204 is no TCP, UDP or named Unix socket; closed"))
      #expect(remarks.contains("inherited descriptor 205 \"w\" is a connection"))
      #expect(activation.remarks.count == 4)
      for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { #expect(getenv(name) == nil) }
      for number in [first, first + 1, first + 2, first + 50] {
        #expect(fcntl(number, F_GETFD) == FD_CLOEXEC)
      }
      for number in [first + 4, first + 5] { #expect(fcntl(number, F_GETFD) == -1) }
      _ = tcp.close()
      _ = unix.close()
    }
  }

  @Test("what is meant for somebody else is not touched, yet nothing of it reaches a service")
  func foreign() async {
    await #expect(processExitsWith: .success) {
      let tcp = try openOne(definition(.tcp(loopback, port: 0)))
      inherit(tcp.number, as: 200)
      announce(count: 1, names: "web", pid: 1)
      let activation = SocketActivation.take(firstDescriptor: 200)
      #expect(activation.inherited.isEmpty)
      #expect(activation.remarks.count == 1)
      #expect(getenv("LISTEN_FDS") == nil)
      #expect(fcntl(200, F_GETFD) == FD_CLOEXEC)
      _ = tcp.close()
    }
  }

  @Test("an absurd count does not make the daemon crash or close what is its own")
  func absurd() async {
    await #expect(processExitsWith: .success) {
      let before = openSockets()
      for count in ["2147483647", "-1", "x", "999999999999999999999", ""] {
        announce(count: 0)
        setenv("LISTEN_FDS", count, 1)
        let activation = SocketActivation.take(firstDescriptor: 200)
        #expect(activation.inherited.isEmpty)
        #expect(!activation.remarks.isEmpty)
        #expect(getenv("LISTEN_FDS") == nil)
      }
      #expect(openSockets() == before)
    }
  }

  @Test("an inherited listener serves, with the options that still can be given, and nothing else stays open")
  func adopt() async {
    await #expect(processExitsWith: .success) {
      let tcp = try openAtGivenPort { .tcp(loopback, port: $0) }
      let stranger = try openOne(definition(.tcp(loopback, port: 0)))
      let queued = RawSocket(tcp.address)
      inherit(tcp.number, as: 200)
      inherit(stranger.number, as: 201)
      let before = (tcp.inode, openSockets())
      let address = tcp.address
      let strange = stranger.address
      _ = tcp.close()
      _ = stranger.close()
      #expect(queued.connect(to: address) == 0)
      #expect(queued.send(7) == 1)
      announce(count: 2, names: "web:gone")
      let sockets = try OwnedSockets(
        definitions: [
          definition(address) {
            $0.noDelay = true
            $0.reusePort = true
          }
        ], activation: SocketActivation.take(firstDescriptor: 200))
      let listener = try #require(sockets.listeners(of: "web").first)
      #expect(listener.origin == .inherited)
      #expect(listener.inode == before.0)
      #expect(receive(listener) == 7)
      #expect(option(listener.number, CInt(IPPROTO_TCP), TCP_NODELAY) == 1)
      #expect(sockets.remarks.count == 2)
      let text = sockets.remarks.joined(separator: "\n")
      #expect(
        text.contains("inherited socket 201 \"gone\" (\(strange)) is closed: no socket of the configuration"))
      #expect(text.contains("came with reuse_port off, which can't be changed any more"))
      #expect(connectOnce(strange) == ECONNREFUSED)
      // Whoever opened it has it, too: closing it for a run by hand would be in vain.
      #expect(sockets.close("web").first?.contains("stays open") == true)
      #expect(sockets.isOpen("web"))
      #expect(sockets.closeAll().isEmpty)
      #expect(openSockets() == before.1 - 4)
    }
  }

  @Test(
    "a socket that is bound and does not listen yet listens after the takeover; its path is not ours to remove"
  )
  func boundOnly() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let bound = RawSocket(folder.address())
      #expect(bound.bind(to: folder.address()) == 0)
      inherit(bound.fd, as: 200)
      announce(count: 1)
      let sockets = try OwnedSockets(
        definitions: [definition(folder.address())], activation: SocketActivation.take(firstDescriptor: 200))
      let listener = try #require(sockets.listeners(of: "web").first)
      #expect(listener.inspect() == [])
      expectServing(listener)
      #expect(sockets.closeAll().isEmpty)
      #expect(folder.entries == ["s"])
    }
  }
}

/// Puts a descriptor where the next process would find it.
private func inherit(_ fd: CInt, as number: CInt) { #expect(dup2(fd, number) == number) }

private func announce(count: Int, names: String? = nil, pid: Int32 = getpid()) {
  setenv("LISTEN_PID", "\(pid)", 1)
  setenv("LISTEN_FDS", "\(count)", 1)
  if let names { setenv("LISTEN_FDNAMES", names, 1) }
}
