// The second source, /proc/net, byte by byte.

import Glibc
import Supervisor
import Testing

@Suite("The tables of /proc/net")
struct ProcNetTests {
  private static let header =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

  /// The files print addresses as numbers of the machine that wrote them.
  private static let isLittleEndian = UInt16(1).littleEndian == 1

  @Test("tcp: only the states and the port that were asked for", .enabled(if: isLittleEndian))
  func tcp() {
    let bytes = Array(
      (Self.header + """
         0: 0100007F:1F90 00000000:0000 0A 00000000:00000002 00:00000000 00000000  1000        0 48211 1 0000 100 0 0 10 0
         1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 911 1 0000 100 0 0 10 0
         2: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 48300 1 0000 20 4 30 10 -1
         3: 0100007F:1F90 0100007F:D430 06 00000000:00000000 03:00000F2C 00000000     0        0 0 3 0000
         4: broken

        """).utf8)
    let all = ProcNet.parse(bytes, .listening(.tcp, family: AF_INET))
    #expect(all.map(\.address.description) == ["127.0.0.1:8080", "0.0.0.0:22"])
    let one = ProcNet.parse(bytes, .listening(.tcp, family: AF_INET, port: 8080))
    #expect(one == [ListenerEntry(address: loopback(8080), inode: 48211, uid: 1000, queued: 2)])
    #expect(ProcNet.parse(bytes, .timeWait(family: AF_INET, port: 8080)).map(\.inode) == [0])
    #expect(ProcNet.parse(bytes, .timeWait(family: AF_INET, port: 22)).isEmpty)
  }

  @Test("tcp6 and udp6: addresses are words of the machine", .enabled(if: isLittleEndian))
  func version6() {
    let tcp = Array(
      (Self.header + """
           0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 7 1 0 100 0 0 10 0
           1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 8 1 0 100 0 0 10 0

        """).utf8)
    let found = ProcNet.parse(tcp, .listening(.tcp, family: AF_INET6))
    #expect(found.map(\.address.description) == ["[::1]:80", "[::ffff:127.0.0.1]:80"])
    let udp = Array(
      (Self.header + """
          11: 00000000000000000000000000000000:14E9 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   103        0 19 2 0 0

        """).utf8)
    let sockets = ProcNet.parse(udp, .listening(.udp, family: AF_INET6))
    #expect(sockets.map(\.address.description) == ["udp:[::]:5353"])
    #expect(sockets.map(\.uid) == [103])
  }

  @Test("unix: listeners and bound datagram sockets, names with spaces, abstract ones")
  func unix() {
    let bytes = Array(
      """
      Num       RefCount Protocol Flags    Type St Inode Path
      0000000000000000: 00000002 00000000 00010000 0001 01 20 /run/my app.sock
      0000000000000000: 00000003 00000000 00000000 0001 03 21 /run/my app.sock
      0000000000000000: 00000002 00000000 00010000 0005 01 22 @name@x
      0000000000000000: 00000002 00000000 00000000 0002 01 23 /run/log
      0000000000000000: 00000002 00000000 00000000 0002 01 24

      """.utf8)
    let found = ProcNet.parse(bytes, .listening(.unix, family: AF_UNIX))
    #expect(
      found.map(\.address.description) == [
        "unix:/run/my app.sock", "unix-seqpacket:@name@x", "unix-dgram:/run/log",
      ])
    #expect(found.map(\.inode) == [20, 22, 23])
  }
}
