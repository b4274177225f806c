// Which bind means which discovered socket: by address alone.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A bind where sockets are discovered")
struct DiscoveryMatchTests {
  private func socket(_ address: String, v6Only: Bool = false, claimed: Bool = false) throws
    -> DiscoveredSocket
  {
    let address = try SocketAddress(parsing: address)
    return DiscoveredSocket(
      name: "\(address)", address: address, isV6Only: v6Only, isClaimed: claimed)
  }

  @Test(
    "gets the socket of just its address",
    arguments: ["127.0.0.1:80", "0.0.0.0:80", "[::]:80", "[::1]:80", "unix:/a", "unix:@a"])
  func same(address: String) throws {
    for claimed in [false, true] {
      let known = [try socket("127.0.0.1:81"), try socket(address, claimed: claimed)]
      #expect(DiscoveryMatch.of(try SocketAddress(parsing: address), among: known) == .socket(1))
    }
  }

  @Test("spelled as IPv6 gets that of IPv4")
  func mapped() throws {
    let wanted = try SocketAddress(parsing: "[::ffff:127.0.0.1]:80")
    #expect(DiscoveryMatch.of(wanted, among: [try socket("127.0.0.1:80")]) == .socket(0))
  }

  @Test(
    "of another address of the port has those of generations before removed, and only those",
    arguments: [("0.0.0.0:80", "127.0.0.1:80"), ("127.0.0.1:80", "[::]:80"), ("[::]:80", "0.0.0.0:80")])
  func other(wanted: String, known: String) throws {
    let address = try SocketAddress(parsing: wanted)
    #expect(DiscoveryMatch.of(address, among: [try socket(known)]) == .outdated([0]))
    #expect(DiscoveryMatch.of(address, among: [try socket(known, claimed: true)]) == .untouched)
  }

  @Test("of another port, of another address, or of port 0 goes on untouched")
  func untouched() throws {
    let known = [try socket("127.0.0.1:80"), try socket("unix:/a")]
    for wanted in ["127.0.0.1:81", "127.0.0.2:80", "udp:127.0.0.1:80", "unix:/b"] {
      #expect(DiscoveryMatch.of(try SocketAddress(parsing: wanted), among: known) == .untouched)
    }
    #expect(DiscoveryMatch.of(.tcp(.v4(0x7f00_0001), port: 0), among: known) == .untouched)
  }

  @Test("of [::] that leaves IPv4 alone has nothing to do with a socket of IPv4, and is not one that doesn't")
  func v6Only() throws {
    let all = try SocketAddress(parsing: "[::]:80")
    #expect(DiscoveryMatch.of(all, isV6Only: true, among: [try socket("0.0.0.0:80")]) == .untouched)
    #expect(DiscoveryMatch.of(all, isV6Only: true, among: [try socket("[::]:80")]) == .outdated([0]))
    #expect(
      DiscoveryMatch.of(all, isV6Only: true, among: [try socket("[::]:80", v6Only: true)]) == .socket(0))
    let four = try SocketAddress(parsing: "0.0.0.0:80")
    #expect(DiscoveryMatch.of(four, among: [try socket("[::]:80", v6Only: true)]) == .untouched)
  }

  @Test("to port 0 is remembered by its socket, until that is bound otherwise or many others were")
  func ephemeral() {
    var sockets = EphemeralSockets()
    sockets.noteBind(of: 1, port: 0)
    sockets.noteBind(of: 2, port: 80)
    #expect(sockets.contains(1) && !sockets.contains(2))
    sockets.noteBind(of: 1, port: 80)
    #expect(!sockets.contains(1))
    for inode in 10..<1000 { sockets.noteBind(of: UInt64(inode), port: 0) }
    #expect(sockets.contains(999) && !sockets.contains(10))
  }

  @Test(
    "is of a socket that is called after its port or its path",
    arguments: [
      ("127.0.0.1:8000", "port-8000"), ("unix:/run/app.sock", "app.sock"), ("unix:@a b", "a_b"),
      ("unix:/run/.hidden", "socket.hidden"), ("unix:/run/ü", "_"),
    ])
  func names(address: String, name: String) throws {
    let address = try SocketAddress(parsing: address)
    #expect(DiscoveredName.of(address, besides: []) == name)
    #expect(DiscoveredName.of(address, besides: [name, name + "-2"]) == name + "-3")
  }
}
