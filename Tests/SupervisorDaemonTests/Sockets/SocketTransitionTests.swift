// What becomes of each listener at a reload.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("The listeners of a new configuration")
struct SocketTransitionTests {
  private typealias Slot = SocketTransition.Slot

  private func tcp(_ port: UInt16, _ ip: IPAddress = .v4(0x7f00_0001)) -> SocketAddress {
    .tcp(ip, port: port)
  }

  private func transition(
    _ old: [SocketDefinition], _ new: [SocketDefinition], _ standing: SocketTransition.Standing = .opened
  ) -> SocketTransition { SocketTransition(from: old, to: new) { _ in standing } }

  private func options(_ change: (inout SocketOptions) -> Void) -> SocketOptions {
    var options = SocketOptions()
    change(&options)
    return options
  }

  private let web = Slot(socket: "web", position: 0)

  @Test("stay, also under another name or at another place")
  func kept() {
    let old = [SocketDefinition(name: "web", addresses: [tcp(80), tcp(81)])]
    let new = [
      SocketDefinition(name: "front", addresses: [tcp(81)]),
      SocketDefinition(name: "web", addresses: [tcp(80)]),
    ]
    let result = transition(old, new)
    #expect(
      result.fates == [
        Slot(socket: "front", position: 0): .kept(Slot(socket: "web", position: 1)), web: .kept(web),
      ])
    #expect(result.leaving.isEmpty && result.inTheWay.isEmpty)
  }

  @Test("are opened before, and left after, when addresses are others")
  func moved() {
    let result = transition(
      [SocketDefinition(name: "web", addresses: [tcp(80)])],
      [SocketDefinition(name: "web", addresses: [tcp(81)])])
    #expect(result.fates == [web: .opened] && result.leaving == [web] && result.waiting.isEmpty)
  }

  @Test("wait for those of ours that are in the way")
  func overlapping() {
    let result = transition(
      [SocketDefinition(name: "web", addresses: [tcp(80)])],
      [SocketDefinition(name: "web", addresses: [tcp(80, .v4(0))])])
    #expect(result.fates == [web: .openedLater] && result.inTheWay == [web] && result.leaving.isEmpty)
    #expect(result.waiting == ["web"])
  }

  @Test(
    "take options in place where the kernel does, and are opened anew where not, unless they were inherited")
  func optionChanges() {
    let old = [SocketDefinition(name: "web", addresses: [tcp(80)])]
    let backlog = [SocketDefinition(name: "web", addresses: [tcp(80)], options: options { $0.backlog = 5 })]
    let reuse = [
      SocketDefinition(name: "web", addresses: [tcp(80)], options: options { $0.reusePort = true })
    ]
    #expect(transition(old, backlog).fates == [web: .adjusted(web)])
    #expect(transition(old, reuse).fates == [web: .openedLater])
    #expect(transition(old, reuse, .inherited).fates == [web: .adjusted(web)])
  }

  @Test("of other kinds are not touched by an option that means nothing for them")
  func mixedKinds() {
    let addresses = [tcp(80), .unix(.stream, .path("/run/web.sock"))]
    let result = transition(
      [SocketDefinition(name: "web", addresses: addresses)],
      [SocketDefinition(name: "web", addresses: addresses, options: options { $0.mode = 0o600 })])
    let path = Slot(socket: "web", position: 1)
    #expect(result.fates == [web: .kept(web), path: .openedLater] && result.inTheWay == [path])
  }

  @Test("stay closed when somebody closed them, unless they are others now")
  func closed() {
    let old = [SocketDefinition(name: "web", addresses: [tcp(80)])]
    #expect(transition(old, old, .closed).fates.isEmpty)
    #expect(
      transition(old, [SocketDefinition(name: "web", addresses: [tcp(81)])], .closed).fates == [web: .opened])
  }
}

extension SocketTransitionTests {
  @Test("are really opened, handed on and closed, and on failure nothing is")
  func replaced() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let old = [
        definition(folder.address(.stream, "a"), named: "a"),
        definition(folder.address(.stream, "b"), named: "b"),
      ]
      let sockets = try OwnedSockets(definitions: old, activation: .none)
      let other = try openOne(definition(folder.address(.stream, "taken")))
      let wrong = [
        definition(folder.address(.stream, "new"), named: "new"),
        definition(folder.address(.stream, "taken"), named: "taken"),
      ]
      #expect(throws: SocketOpenFailure.self) {
        _ = try sockets.replace(by: wrong, sockets.transition(to: wrong))
      }
      #expect(folder.entries.sorted() == ["a", "b", "taken"] && sockets.definitions == old)

      var again = definition(folder.address(.stream, "b"), named: "b")
      again.options.mode = 0o600
      let new = [definition(folder.address(.stream, "c"), named: "c"), again]
      let before = try #require(sockets.listeners(of: "b").first)
      #expect(try sockets.replace(by: new, sockets.transition(to: new)).isEmpty)
      #expect(folder.entries.sorted() == ["a", "b", "c", "taken"])
      #expect(before.isOpen && sockets.listeners(of: "b").first?.isOpen == false)
      #expect(sockets.makeWay().count == 1)
      #expect(!before.isOpen && sockets.listeners(of: "b").first?.isOpen == true)
      #expect((fileStatus(folder.path + "/b")?.st_mode ?? 0) & 0o777 == 0o600)
      #expect(sockets.closeLeaving().isEmpty)
      #expect(folder.entries.sorted() == ["b", "c", "taken"])
      #expect(sockets.closeAll().isEmpty)
      _ = other.close()
    }
  }
}
