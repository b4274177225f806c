// Free, taken, unknown: the trial bind and the decision over both sources.

import Glibc
import Supervisor
import Testing

@Suite("A trial bind", .timeLimit(.minutes(5)))
struct TrialBindTests {
  @Test(
    "tells a taken address from a free one",
    arguments: [
      ("s = bound(); s.listen()", "127.0.0.1"), ("s = bound()", "127.0.0.1"),
      ("s = bound('0.0.0.0'); s.listen()", "127.0.0.1"), ("s = bound('::'); s.listen()", "127.0.0.1"),
      ("s = bound('127.0.0.1'); s.listen()", "[::]"), ("s = bound(LOCAL, UDP)", "udp:127.0.0.1"),
      ("s = bound(LOCAL, UDP, [(socket.SOL_SOCKET, socket.SO_REUSEADDR)])", "udp:0.0.0.0"),
      ("s = bound(LOCAL, TCP, [(socket.SOL_SOCKET, socket.SO_REUSEPORT)]); s.listen()", "127.0.0.1"),
    ])
  func takenAndFree(script: String, host: String) throws {
    let holder = try PythonProcess("\(script)\nsay(port(s)); wait(); s.close(); say(0); wait()")
    let address = try SocketAddress(parsing: "\(host):\(holder.numbers()[0])")
    #expect(TrialBind.check(address) == .taken)
    try holder.tell("close")
    _ = try holder.line()
    #expect(TrialBind.check(address) == .free)
  }

  @Test("does not know about an address of another machine, nor about a Unix path")
  func unknown() throws {
    #expect(try TrialBind.check(SocketAddress(parsing: "203.0.113.1:80")) == .unknown(EADDRNOTAVAIL))
    #expect(try TrialBind.check(SocketAddress(parsing: "unix:/run/x")) == .unknown(EOPNOTSUPP))
  }
}

@Suite("The verification of a guarded port", .timeLimit(.minutes(5)))
struct PortVerificationTests {
  private static let entry = ListenerEntry(address: loopback(80), inode: 5, uid: 0)
  private static let unread = SystemError("read", "the kernel's socket table", code: EPERM)

  private static let lingering = ListenerEntry(address: loopback(80), inode: 0, uid: 0)
  private static let unknown = PortFinding.Verdict.unknown(
    "cannot read the kernel's socket table: Operation not permitted")

  @Test(
    "takes nothing for free that could not be read",
    arguments: [
      (.success([]), .free, .free), (.success([]), .unknown(EACCES), .free),
      (.success([entry]), .free, .taken([entry])), (.success([entry]), .taken, .taken([entry])),
      (.success([entry]), .unknown(EACCES), .taken([entry])),
      (.failure(unread), .taken, .taken([])), (.failure(unread), .free, unknown),
      (.failure(unread), .unknown(EACCES), unknown),
    ] as [(PortVerification.Reading, TrialBind.Outcome, PortFinding.Verdict)])
  func decision(listeners: PortVerification.Reading, trial: TrialBind.Outcome, expected: PortFinding.Verdict)
  {
    let finding = PortVerification.decide(loopback(80), listeners, trial, occupants: .success([Self.entry]))
    #expect(finding == PortFinding(address: loopback(80), verdict: expected))
  }

  @Test(
    "tells what keeps a port without listening from what only lingers",
    arguments: [
      (.success([]), .taken([]), 0), (.failure(unread), .taken([]), 0), (.success([lingering]), .free, 1),
      (.success([entry, lingering]), .taken([entry]), 0),
    ] as [(PortVerification.Reading, PortFinding.Verdict, Int)])
  func occupied(occupants: PortVerification.Reading, expected: PortFinding.Verdict, count: Int) {
    let finding = PortVerification.decide(loopback(80), .success([]), .taken, occupants: occupants)
    #expect(finding == PortFinding(address: loopback(80), verdict: expected, lingering: count))
  }

  @Test("names the listener, tells what is only bound, and sees both go")
  func realPorts() throws {
    let holder = try PythonProcess(
      """
      a = bound(); a.listen(); b = bound(); u = bound(LOCAL, UDP); u.connect((LOCAL, 9))
      say(port(a), inode(a), port(b), inode(b), port(u), inode(u)); wait()
      for s in (a, b, u): s.close()
      say(0); wait()
      """)
    let numbers = try holder.numbers()
    let guarded = [
      loopback(numbers[0]), loopback(numbers[2]), try SocketAddress(parsing: "udp:127.0.0.1:\(numbers[4])"),
    ]
    let verification = PortVerification(table: SocketTable())
    let findings = verification.check(guarded: guarded)
    #expect(findings.map(\.address) == guarded)
    #expect(inodes(findings[0]) == [UInt64(numbers[1])])
    // Before Linux 6.8 the kernel shows nobody who is only bound.
    #expect([[UInt64(numbers[3])], []].contains(inodes(findings[1])))
    #expect(inodes(findings[2]) == [UInt64(numbers[5])])
    try holder.tell("close")
    _ = try holder.line()
    #expect(verification.check(guarded: guarded).map(\.verdict) == [.free, .free, .free])
  }

  @Test("is not kept up by the closed connections of a server without SO_REUSEADDR, but counts them")
  func timeWait() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); p = port(s)
      for _ in range(2):
          c = socket.create_connection((LOCAL, p)); a, _ = s.accept(); a.close(); c.recv(1); c.close()
      s.close(); say(p); wait()
      """)
    let address = loopback(try server.numbers()[0])
    #expect(TrialBind.check(address) == .taken)
    let findings = PortVerification(table: SocketTable()).check(guarded: [address])
    #expect(findings == [PortFinding(address: address, verdict: .free, lingering: 2)])
  }

  /// nil unless the port is taken.
  private func inodes(_ finding: PortFinding) -> [UInt64]? {
    guard case .taken(let listeners) = finding.verdict else { return nil }
    return listeners.map(\.inode)
  }
}
