import Supervisor
import SupervisorDaemon
import Testing

@Suite("What the environment says of the service manager")
struct UnitEnvironmentTests {
  private func environment(_ variables: [String: String]) -> UnitEnvironment {
    UnitEnvironment(pid: 17) { variables[$0] }
  }

  @Test("nothing, for a daemon that somebody started by hand")
  func nothing() {
    let none = environment([:])
    #expect(none.notifySocket == nil && none.role == .other && none.store == .untold && none.watchdog == nil)
    #expect(!none.mayStore && none.readiness == .sockets)
  }

  @Test(
    "the main process of a unit has a store unless that is said to be off, and is ready with its services")
  func mainProcess() {
    var variables = ["NOTIFY_SOCKET": "/run/systemd/notify", "SYSTEMD_EXEC_PID": "17"]
    #expect(environment(variables).mayStore && environment(variables).readiness == .services)
    variables["FDSTORE"] = "128"
    #expect(environment(variables).store == .room(128) && environment(variables).mayStore)
    variables["FDSTORE"] = "0"
    #expect(environment(variables).store == .off && !environment(variables).mayStore)
    variables["FDSTORE"] = nil
    variables["NOTIFY_SOCKET"] = nil
    #expect(!environment(variables).mayStore)
  }

  @Test("a process below a unit is not its main process", arguments: ["16", "017", "", "17 "])
  func other(pid: String) {
    let found = environment(["NOTIFY_SOCKET": "@x", "SYSTEMD_EXEC_PID": pid, "FDSTORE": "8"])
    #expect(found.role == .other && !found.mayStore && found.readiness == .sockets)
  }

  @Test("the watchdog counts when it is meant for us or for nobody in particular")
  func watchdog() {
    #expect(environment(["WATCHDOG_USEC": "2000000"]).watchdog == .seconds(2))
    #expect(environment(["WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "17"]).watchdog == .seconds(2))
    #expect(environment(["WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "18"]).watchdog == nil)
    #expect(environment(["WATCHDOG_USEC": "0"]).watchdog == nil)
  }
}

@Suite("Names in the descriptor store")
struct StoreNameTests {
  @Test(
    "come back as they went, whatever the socket is called",
    arguments: ["web", "a.b", "own.5.x", "web@1-2_3"])
  func roundTrip(socket: String) throws {
    let name = StoreName(socket: socket, inode: 48213)
    #expect(name.text == "own.48213.\(socket)" && !name.text.contains(":"))
    #expect(StoreName(name.text, inode: 48213) == name)
  }

  @Test(
    "that somebody else gave mean nothing",
    arguments: [
      "web", "own", "own.", "own.48213", "own.48213.", "own.web", "own.48214.web", "own.048213.web", "",
    ])
  func foreign(text: String) {
    #expect(StoreName(text, inode: 48213) == nil)
  }

  @Test("fit into what systemd allows: 255 characters")
  func length() {
    let longest = StoreName(socket: String(repeating: "x", count: DefinitionName.longest), inode: .max)
    #expect(longest.text.count <= 255)
  }
}
