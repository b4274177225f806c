import Glibc
import Supervisor
import SupervisorDaemon
import Testing

// Where a test needs a socket to be gone once it is closed, it runs in a process of its own: while another test
// starts a process, that one has copies of all descriptors until it executes its program.
@Suite("The sockets that the daemon owns", .timeLimit(.minutes(5)))
struct OwnedSocketsTests {
  @Test("all of them are open, by name, and all gone after closing")
  func openAndClose() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let sockets = try OwnedSockets(
        definitions: [
          definition(.tcp(loopback, port: 0), folder.address()),
          definition(.udp(loopback, port: 0), named: "dns"),
        ],
        activation: .none)
      #expect(sockets.remarks.isEmpty)
      #expect(sockets.listeners(of: "web").count == 2)
      #expect(sockets.listeners(of: "dns").count == 1)
      #expect(sockets.listeners(of: "nobody").isEmpty)
      let tcp = try #require(sockets.listeners(of: "web").first)
      expectServing(tcp)
      #expect(sockets.closeAll().isEmpty)
      #expect(connectOnce(tcp.address) == ECONNREFUSED)
      #expect(folder.entries.isEmpty)
      #expect(!sockets.isOpen("web"))
    }
  }

  @Test("a closed socket is free for others, and opens again")
  func reopen() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let sockets = try OwnedSockets(definitions: [definition(folder.address())], activation: .none)
      #expect(try sockets.reopen("web").isEmpty)
      #expect(sockets.close("web").isEmpty)
      #expect(!sockets.isOpen("web"))
      #expect(sockets.listeners(of: "web").isEmpty)
      let byHand = try openOne(definition(folder.address()))
      let error = #expect(throws: SocketOpenFailure.self) { _ = try sockets.reopen("web") }
      #expect(error?.errors.map(\.kind) == [.addressInUse])
      _ = byHand.close()
      _ = try sockets.reopen("web")
      expectServing(try #require(sockets.listeners(of: "web").first))
      #expect(sockets.closeAll().isEmpty)
    }
  }

  @Test("all errors come at once, and nothing stays open")
  func failure() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let other = try openOne(definition(.tcp(loopback, port: 0)))
      let definitions = [
        definition(folder.address(), named: "a"), definition(other.address, named: "b"),
        definition(.udp(loopback, port: 0), folder.address(.stream, "no/s"), named: "c"),
      ]
      var before = 0
      for round in 0..<50 {
        let error = #expect(throws: SocketOpenFailure.self) {
          _ = try OwnedSockets(definitions: definitions, activation: .none)
        }
        #expect(error?.errors.map(\.socket) == ["b", "c"])
        #expect(folder.entries.isEmpty)
        if round == 0 { before = openDescriptors() }
      }
      #expect(openDescriptors() < before + 25)
      _ = other.close()
    }
  }

  @Test("opening, damaging, repairing and closing leak no descriptor")
  func noLeak() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let definitions = SocketAddress.UnixKind.allCases.map {
        definition(folder.address($0, $0.rawValue), named: $0.rawValue)
      }
      var before = 0
      for round in 0..<50 {
        let sockets = try OwnedSockets(definitions: definitions, activation: .none)
        for name in folder.entries { unlink(folder.path + "/" + name) }
        for one in definitions {
          for listener in sockets.listeners(of: one.name) { #expect(listener.prepareForLaunch().count == 1) }
        }
        #expect(sockets.closeAll().isEmpty)
        if round == 0 { before = openDescriptors() }
      }
      #expect(openDescriptors() < before + 25)
      #expect(folder.entries.isEmpty)
    }
  }
}
