// Which bind means which socket: by address alone.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("An intercepted bind")
struct BindMatchTests {
  private func match(_ wanted: String, _ owned: [String], _ policy: WildcardBind = .literal) throws
    -> BindMatch
  {
    // Port 0 can't be configured, but bound.
    let address = try wanted == "127.0.0.1:0" ? .tcp(loopback, port: 0) : SocketAddress(parsing: wanted)
    return BindMatch.of(address, among: try owned.map { try SocketAddress(parsing: $0) }, policy: policy)
  }

  @Test(
    "gets the listener of its address, however the address is spelled",
    arguments: [
      ("127.0.0.1:80", "127.0.0.1:80"), ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"), ("[::1]:80", "[::1]:80"),
      ("[::]:80", "0.0.0.0:80"), ("0.0.0.0:80", "[::]:80"), ("127.0.0.1:80", "0.0.0.0:80"),
      ("[::1]:80", "[::]:80"), ("127.0.0.1:80", "[::]:80"), ("udp:127.0.0.1:53", "udp:127.0.0.1:53"),
      ("unix:/run/a", "unix:/run/a"), ("unix:@a", "unix:@a"),
    ])
  func same(wanted: String, owned: String) throws {
    #expect(try match(wanted, ["127.0.0.1:1", owned]) == .listener(1))
  }

  @Test(
    "of another address goes on untouched",
    arguments: [
      ("127.0.0.1:81", "127.0.0.1:80"), ("127.0.0.2:80", "127.0.0.1:80"),
      ("udp:127.0.0.1:80", "127.0.0.1:80"),
      ("[::1]:80", "127.0.0.1:80"), ("unix-dgram:/run/a", "unix:/run/a"), ("unix:/run/b", "unix:/run/a"),
      ("127.0.0.1:0", "127.0.0.1:80"), ("unix:/run/a", "unix:@/run/a"), ("[::1]:80", "0.0.0.0:80"),
    ])
  func other(wanted: String, owned: String) throws {
    #expect(try match(wanted, [owned]) == .untouched)
  }

  @Test(
    "of every address means a socket on one of them only where that is configured",
    arguments: [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80")])
  func wildcard(wanted: String, owned: String) throws {
    #expect(try match(wanted, [owned]) == .wildcard(0))
    #expect(try match(wanted, [owned], .meansOwned) == .listener(0))
  }

  @Test("prefers the listener of just this address to one of every address")
  func closest() throws {
    #expect(try match("127.0.0.1:80", ["[::]:80", "127.0.0.1:80"]) == .listener(1))
  }
}
