import Supervisor
import SupervisorDaemon
import Testing

@Suite("Matching inherited sockets with the configuration")
struct SocketTakeoverTests {
  private let a = SocketAddress.tcp(loopback, port: 8001)
  private let b = SocketAddress.tcp(loopback, port: 8002)
  private let c = SocketAddress.tcp(loopback, port: 8003)

  private func inherited(_ sockets: (String?, SocketAddress)...) -> [InheritedSocket.Identity] {
    sockets.enumerated().map {
      InheritedSocket.Identity(number: Int32($0.offset) + 3, name: $0.element.0, address: $0.element.1)
    }
  }

  private func slot(_ socket: String, _ position: Int = 0) -> SocketTakeover.Slot {
    SocketTakeover.Slot(socket: socket, position: position)
  }

  @Test("several of one name go to its addresses by address")
  func severalOfOneName() {
    let result = SocketTakeover.match(inherited(("web", b), ("web", a)), [definition(a, b, c)])
    #expect(result.claims == [slot("web", 1): 0, slot("web", 0): 1])
    #expect(result.rejected.isEmpty)
  }

  @Test(
    "without a name, or with a name that means nothing here, the address decides",
    arguments: [nil, "unknown"])
  func byAddress(name: String?) {
    let result = SocketTakeover.match(inherited((name, b)), [definition(a), definition(b, named: "api")])
    #expect(result.claims == [slot("api"): 0])
  }

  @Test("the one with the name is preferred to an earlier one without")
  func nameFirst() {
    let result = SocketTakeover.match(inherited((nil, a), ("web", a)), [definition(a)])
    #expect(result.claims == [slot("web"): 1])
    #expect(
      result.rejected.map(\.remark)
        == ["inherited socket 3 (127.0.0.1:8001) is closed: socket \"web\" has its listener already"])
  }

  @Test("the second of two equal ones is rejected")
  func duplicate() {
    let result = SocketTakeover.match(inherited(("web", a), ("web", a)), [definition(a)])
    #expect(result.claims == [slot("web"): 0])
    #expect(result.rejected.map(\.index) == [1])
  }

  @Test("of one socket that comes by several ways the manager's counts, and the others go without a word")
  func sameSocketTwice() {
    var sockets = inherited(("web", a), ("web", a), ("web", a))
    for index in sockets.indices { sockets[index].inode = 7 }
    sockets[0].provenance = .keeper
    sockets[2].provenance = .store
    let result = SocketTakeover.match(sockets, [definition(a)])
    #expect(result.claims == [slot("web"): 1])
    #expect(result.duplicates == [0, 2] && result.rejected.isEmpty)
  }

  @Test("a name does not make up for a wrong address")
  func wrongAddress() {
    let result = SocketTakeover.match(inherited(("web", b)), [definition(a)])
    #expect(result.claims.isEmpty)
    #expect(
      result.rejected.map(\.remark)
        == [
          "inherited socket 3 \"web\" (127.0.0.1:8002) is closed: "
            + "the configuration has socket \"web\" at 127.0.0.1:8001"
        ])
  }

  @Test("one that nothing claims is rejected")
  func unclaimed() {
    let result = SocketTakeover.match(inherited(("x", c)), [definition(a)])
    #expect(
      result.rejected.first?.remark.hasSuffix("no socket of the configuration has this name or address")
        == true)
  }

  @Test("a wildcard equals itself only, and TCP is not UDP")
  func exact() {
    let any4 = SocketAddress.tcp(.v4(0), port: 8001)
    let any6 = SocketAddress.tcp(.v6(SIMD16(repeating: 0), scope: 0), port: 8001)
    for other in [any4, any6, .udp(loopback, port: 8001)] {
      #expect(SocketTakeover.match(inherited((nil, other)), [definition(a)]).claims.isEmpty)
    }
    #expect(SocketTakeover.match(inherited((nil, any4)), [definition(any6)]).claims.isEmpty)
  }
}
