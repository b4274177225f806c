import Glibc
import Supervisor
import Testing

@Suite("Whoever starts the daemon", .timeLimit(.minutes(5))) struct SurroundingsTests {
  private let world: World
  private let address = World.address()

  init() throws { world = try World() }

  private func configuration() throws -> String {
    """
    [socket.web]
    listen = "\(address)"
    [service.app]
    command = \(try world.command("stray=orphan", "notify=READY=1", "serve"))
    sockets = ["web"]
    readiness = "notify"
    """
  }

  private static let hasActivate = access("/usr/bin/systemd-socket-activate", X_OK) == 0

  @Test("can hand it sockets by name, as systemd does", .enabled(if: hasActivate, "it belongs to systemd"))
  func activation() throws {
    // It executes the daemon at the first connection, with an environment of its own.
    world.adopt(
      try world.spawn(
        try configuration(),
        prefix: ["/usr/bin/systemd-socket-activate", "--listen=\(address)", "--fdname=web"]))
    let client = try eventually("systemd-socket-activate listens") {
      try Client.isRefused(address) ? nil : try Client(address)
    }
    try eventually("the daemon answers") { access(world.control, F_OK) == 0 ? true : nil }
    let pid = try world.reach().pid
    #expect(try client.answer() == pid)
    let sockets = try world.call(.sockets, NoParameters(), as: SocketsReply.self).sockets
    #expect(sockets.map(\.origin) == ["inherited"])
    try world.restart()
    #expect(try Client.ask(address) != pid)
  }

  @Test("can hand it a socket without a name: the address tells which it is")
  func activationByAddress() throws {
    let own = try listener(on: address)
    let status = try own.status()
    try world.start(
      try configuration(),
      prefix: ["/bin/sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\""], extra: [3: own.number],
      running: ["app"])
    #expect(try world.inode() == UInt64(status.st_ino))
    #expect(try Client.ask(address) == world.status().pid)
  }

  private static let canUnshare = geteuid() == 0 && access("/usr/bin/unshare", X_OK) == 0

  @Test(
    "can be the kernel: as PID 1 it supervises, reaps the orphans of others, and stops on SIGTERM",
    .enabled(if: canUnshare, "only root can make a process-id namespace"))
  func processOne() throws {
    world.end = .own
    try world.start(
      try configuration(),
      prefix: ["/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
    let outer = try #require(world.daemon)
    let daemon = try #require(ProcessTable.children(of: outer.pid).first)
    try world.reach()
    _ = try Client.ask(address)
    try world.restart()

    // A process that is none of the daemon's leaves an orphan, which ends.
    let visitor = try Spawned(
      "/usr/bin/env", ["nsenter", "--target", "\(daemon)", "--pid", "sh", "-c", "sleep 0.2 & :"])
    #expect(try visitor.status() == 0)
    let orphan = try eventually("the orphan came to PID 1") {
      ProcessTable.children(of: daemon).first { ProcessTable.stat(of: $0)?.name == "sleep" }
    }
    try eventually("the orphan was reaped") { ProcessTable.stat(of: orphan) == nil ? true : nil }
    #expect(try world.status().generation == 2)

    let identity = try #require(ProcessTable.stat(of: daemon)).identity
    _ = try PidFD.open(identity).send(SIGTERM)
    #expect(try outer.status() == 0)
    #expect(world.log.hasSuffix("fdsupervisord: stopped\n"), "\(world.log)")
    #expect(access(world.control, F_OK) == -1)
  }
}
