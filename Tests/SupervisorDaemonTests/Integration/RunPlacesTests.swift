// `fdsupervisord run` where no person looks at it: in the background, with several programs, and without its terminal.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A run", .timeLimit(.minutes(5))) struct RunPlacesTests {
  private let desk: Desk
  private let address = World.address()

  init() throws { desk = try Desk() }

  // MARK: In the background

  private func detach(_ words: String...) throws -> ProcessIdentity {
    let starter = try desk.spawn("fdsupervisord", ["run", "--detach"] + words, output: "detach")
    #expect(try starter.status() == 0, "\(desk.text(of: "detach"))")
    let said = desk.text(of: "detach")
    let number = try #require(said.firstRange(of: "in the background, pid "), "\(said)").upperBound
    let pid = try #require(Int32(said[number...].prefix { $0.isNumber }))
    return try #require(ProcessTable.stat(of: pid)).identity
  }

  @Test(
    "in the background is found by the tool in its directory, is shown by a second one, and ends when told")
  func detached() throws {
    try desk.write(Desk.webServer("hello", at: address), to: "server.py")
    let run = try detach("--", "python3", "server.py")
    #expect(try desk.ctl("wait", "--timeout", "60s").status == 0)
    #expect(try Client.page(address).contains("hello"))
    #expect(ProcessTable.stat(of: run.pid)?.session == run.pid)
    var family: [ProcessIdentity] = []
    Descendants.visit(.including([run.pid])) { family.append($0.stat.identity) }
    #expect(family.count >= 3)
    #expect(try desk.ctl("restart", "server").status == 0)
    #expect(try desk.ctl("status").output.contains("running"))
    #expect(try desk.ctl("logs", "server").status == 0)

    let view = try desk.spawn("fdsupervisord", ["run"], output: "view")
    try eventually("the view is there") {
      desk.text(of: "view").contains("attached to the run of this directory") ? true : nil
    }
    try view.send(SIGINT)
    #expect(try view.status() == 0)
    #expect(ProcessTable.isAlive(run))

    #expect(try desk.ctl("shutdown").status == 0)
    try eventually("everybody is gone") { family.contains(where: ProcessTable.isAlive) ? nil : true }
  }

  @Test("in the background that can't start says why, with its status")
  func detachedInVain() throws {
    let stranger = try listener(on: address)
    let starter = try desk.spawn(
      "fdsupervisord", ["run", "--detach", "--listen", address, "--", "true"], output: "detach")
    #expect(try starter.status() == 1)
    #expect(desk.text(of: "detach").contains("\(address) is taken"))
    withExtendedLifetime(stranger) {}
  }

  // MARK: Without its terminal

  @Test("ends with everything when its terminal is closed")
  func hangUp() throws {
    var terminal: PseudoTerminal? = try PseudoTerminal(in: desk.folder.path, environment: ["NO_COLOR=1"])
    try terminal?.type(
      "\(ChildProcess.built("fdsupervisord")) run --control \(desk.control) -n web -- sh -c 'echo hello; sleep 1000'\n"
    )
    try terminal?.shows("| hello")
    let reply = try desk.call(.status, ServiceSelection(names: ["web"]), as: StatusReply.self)
    let main = try #require(reply.services.first?.pid)
    let keeper = try #require(ProcessTable.stat(of: main)).parent
    let run = try #require(ProcessTable.stat(of: keeper)).parent
    var family: [ProcessIdentity] = []
    Descendants.visit(.including([run])) { family.append($0.stat.identity) }
    #expect(family.count >= 3)
    terminal = nil
    try eventually("everybody is gone") { family.contains(where: ProcessTable.isAlive) ? nil : true }
  }

  // MARK: Several programs

  @Test(
    "of a Procfile starts each line, with a PORT of its own and the variables of .env; the end of one is told"
  )
  func procfile() throws {
    try desk.write(
      """
      web: echo web has $PORT and $COLOUR; exec sleep 1000
      worker: echo worker has $PORT; exec sleep 1000
      once: echo once has $PORT

      """, to: "Procfile")
    try desk.write("COLOUR=green\n", to: ".env")
    try desk.start()
    try desk.says("web has 5000 and green")
    try desk.says("worker has 5100")
    try desk.says("once has 5200")
    try desk.says("ended before it was ready: exit 0")
    for name in ["web", "worker"] { #expect(try desk.status(name).state != .stopped) }
    try desk.end()
  }

  @Test("of some lines of a Procfile leaves the others, and their ports, alone")
  func some() throws {
    try desk.write(
      """
      web: echo web has $PORT; exec sleep 1000
      worker: echo worker has $PORT; exec sleep 1000

      """, to: "Procfile")
    try desk.start("--port", "7000", "worker")
    try desk.says("worker has 7100")
    let reply = try desk.call(.status, ServiceSelection(names: [], all: true), as: StatusReply.self)
    #expect(reply.services.map(\.name) == ["worker"])
    try desk.end()
  }

  @Test("of a configuration runs its services at the desk")
  func configuration() throws {
    try desk.write(Desk.webServer("configured", at: address), to: "server.py")
    try desk.write(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = ["python3", "server.py"]
      sockets = ["web"]

      """, to: "fdsupervisord.toml")
    try desk.start()
    try desk.reach("app")
    #expect(try Client.page(address).contains("configured"))
    try desk.end(by: SIGTERM)
  }

  @Test(
    "of a user without rights finds its port, keeps it, and leaves nothing",
    .enabled(if: geteuid() == 0 && World.isOpenToOthers, "only root can become somebody else"))
  func otherUser() throws {
    try desk.write(Desk.webServer("mine", at: address), to: "server.py")
    chmod(desk.folder.path, 0o755)
    let control = "/tmp/fdsupervisor-desk-\(getpid())-\(address).sock"
    let run = try Spawned(
      "/usr/bin/env",
      [
        "-C", desk.folder.path, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        ChildProcess.built("fdsupervisord"), "run", "--control", control, "-n", "app", "--", "python3", "-B",
        "server.py",
      ], output: .file(desk.folder.path + "/said"), errors: .file(desk.folder.path + "/said"), care: .leashed)
    try eventually("it answers") { try Client.isRefused(address) ? nil : true }
    let load = try RequestLoad(.http, at: address, in: desk.folder) { "" }
    try load.awaitAnswer("at first")
    let before = try SocketTable().listeners(on: SocketAddress(parsing: address)).map(\.inode)
    for _ in 0..<3 {
      _ = try ControlClient(path: control)
        .call(.restart, ServiceSelection(names: ["app"]), as: OperationReply.self)
      try load.awaitAnswer("after a restart")
    }
    let result = try load.end()
    #expect(result.refused == 0 && result.timedOut == 0 && result.wrong == 0, "\(result)")
    #expect(try SocketTable().listeners(on: SocketAddress(parsing: address)).map(\.inode) == before)
    var family: [ProcessIdentity] = []
    Descendants.visit(.including([run.pid])) { family.append($0.stat.identity) }
    try run.send(SIGINT)
    #expect(try run.status() == 0)
    #expect(family.filter(ProcessTable.isAlive).isEmpty)
  }
}
