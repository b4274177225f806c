import Glibc
import Supervisor
import Testing

@Suite("Listeners in the descriptor store", .timeLimit(.minutes(5))) struct StoreTests {
  private let world: World
  private let unit: Unit
  private let address = World.address()

  init() throws {
    world = try World()
    unit = try Unit(world)
  }

  private func socket(_ listen: String, named name: String = "web") -> String {
    "[socket.\(name)]\nlisten = \(listen)\n"
  }

  private func service(_ words: String..., sockets: String = "\"web\"") throws -> String {
    let program = try ChildProcess.built("misbehaving")
    let command = ([program, "register=\(world.register.path)"] + words).map { "\"\($0)\"" }
    return "[service.app]\ncommand = [\(command.joined(separator: ", "))]\nsockets = [\(sockets)]\n"
  }

  private func name(_ socket: String = "web") throws -> String { "own.\(try world.inode(socket)).\(socket)" }

  @Test("lie there one by one, each under a name that is its own, whatever poll(2) says of them")
  func puts() throws {
    let path = world.path("app.sock")
    try unit.start(
      socket("[\"\(address)\", \"udp:\(address)\"]") + socket("\"unix:\(path)\"", named: "local")
        + service("first", "serve", sockets: "\"web\", \"local\""))
    try unit.awaitReady()
    let sockets = try world.call(.sockets, NoParameters(), as: SocketsReply.self).sockets
    #expect(sockets.count == 3)
    for one in sockets {
      let name = "own.\(one.inode).\(one.name)"
      #expect(try #require(unit.notify.store[name], "\(unit.notify.messages)").inode == one.inode)
      #expect(unit.notify.messages.contains(["FDSTORE=1", "FDNAME=\(name)", "FDPOLL=0"]))
    }
    #expect(unit.notify.store.count == 3)
  }

  @Test("go on listening when the daemon is killed, and the next one serves who waits there")
  func killed() throws {
    let path = world.path("app.sock")
    let text =
      try socket("\"\(address)\"") + socket("\"unix:\(path)\"", named: "local")
      + service("serve", sockets: "\"web\", \"local\"")
    let first = try unit.start(text)
    try unit.awaitReady()
    let before = (try world.inode(), try world.inode("local"))
    try first.send(SIGKILL)
    _ = try first.status()
    try world.register.awaitEmpty("the daemon's death")
    let client = try Client(address)
    try unit.start(text)
    try unit.awaitReady(2)
    #expect(try client.answer() == world.status().pid)
    #expect((try world.inode(), try world.inode("local")) == before)
    #expect(world.log.contains("back from the descriptor store: \"web\""))
    // They lie there already.
    #expect(unit.notify.messages.count { $0.contains("FDSTORE=1") } == 2)
    #expect(unit.notify.store.count == 2)
  }

  @Test("stay as they are when the daemon is stopped in order, with their paths")
  func stopped() throws {
    let path = world.path("app.sock")
    let text = try socket("\"unix:\(path)\"") + service("serve")
    let first = try unit.start(text)
    try unit.awaitReady()
    let before = try world.inode()
    try first.send(SIGTERM)
    #expect(try first.status() == 0)
    unit.notify.takeMessages()
    #expect(unit.notify.store.count == 1)
    let client = try UnixClient(path)
    try unit.start(text)
    try unit.awaitReady(2)
    #expect(try world.inode() == before)
    #expect(try client.answer() == world.status().pid)
    let repaired = try world.restart().repaired
    #expect(!repaired.contains { $0.contains("path") }, "\(repaired)")
  }

  @Test("that the configuration does not name any more are taken out and closed; a renamed one is kept")
  func unclaimed() throws {
    let other = World.address()
    let first = try unit.start(
      socket("\"\(address)\"") + socket("\"\(other)\"", named: "old") + service("serve"))
    try unit.awaitReady()
    let (kept, gone) = (try name(), try name("old"))
    try first.send(SIGTERM)
    #expect(try first.status() == 0)
    try unit.start(socket("\"\(address)\"", named: "renamed") + service("serve", sockets: "\"renamed\""))
    try unit.awaitReady(2)
    #expect(unit.notify.messages.contains(["FDSTOREREMOVE=1", "FDNAME=\(gone)"]))
    #expect(unit.notify.store.keys.sorted() == [kept])
    #expect(try Client.isRefused(other))
    #expect(try Client.ask(address) == world.status("app").pid)
  }

  @Test("leave it when they are closed by hand, and return when they are opened again")
  func closedByHand() throws {
    try unit.start(socket("\"\(address)\"") + service("serve"))
    try unit.awaitReady()
    let before = try name()
    let calls = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "stop", "--close", "app"])
    try eventually("the listener is out of the store") {
      unit.notify.takeMessages()
      return unit.notify.store.isEmpty ? true : nil
    }
    #expect(try calls.status() == 0)
    #expect(unit.notify.messages.contains(["FDSTOREREMOVE=1", "FDNAME=\(before)"]))
    #expect(try Client.isRefused(address))
    #expect(try world.operate(.start).ok)
    unit.notify.takeMessages()
    let after = try name()
    #expect(unit.notify.store.keys.sorted() == [after] && after != before)
  }

  @Test("that had to be opened anew take the place of the old ones")
  func repaired() throws {
    let path = world.path("app.sock")
    try unit.start(socket("\"unix:\(path)\"") + service("first", "unlink=\(path)", "serve"))
    try unit.awaitReady()
    try eventually("the path is gone") { access(path, F_OK) == -1 ? true : nil }
    let before = try name()
    try world.restart()
    let after = try name()
    unit.notify.takeMessages()
    #expect(after != before)
    #expect(unit.notify.store.keys.sorted() == [after])
  }

  @Test("are not there when the unit has no store, or the daemon is no unit's main process")
  func without() throws {
    let path = world.path("app.sock")
    let daemon = try unit.start(socket("\"unix:\(path)\"") + service("serve"), store: "0")
    try unit.awaitReady()
    try daemon.send(SIGTERM)
    #expect(try daemon.status() == 0)
    unit.notify.takeMessages()
    #expect(!unit.notify.messages.joined().contains("FDSTORE=1"))
    #expect(access(path, F_OK) == -1)
  }

  @Test("leave those of a .socket unit alone, even one that is called like ours")
  func foreign() throws {
    let listener = try listener(on: address)
    let notify = unit.notify
    let daemon = try world.spawn(
      socket("\"\(address)\"") + service("serve"),
      prefix: [
        "/bin/sh", "-c", "export LISTEN_PID=$$ SYSTEMD_EXEC_PID=$$; exec \"$@\"", "sh",
      ],
      environment: ["NOTIFY_SOCKET=\(notify.path)", "LISTEN_FDS=1", "LISTEN_FDNAMES=own.17.web"],
      extra: [3: listener.number])
    world.adopt(daemon)
    try unit.awaitReady()
    #expect(try Client.ask(address) == world.status().pid)
    #expect(notify.store.isEmpty && notify.values(of: "FDSTOREREMOVE").isEmpty)
  }

  @Test("are as they were after a start that failed, and the next one waits a moment for a taken address")
  func failedStart() throws {
    let (path, other) = (world.path("app.sock"), World.address())
    let local = socket("\"unix:\(path)\"") + (try service("serve"))
    let first = try unit.start(local)
    try unit.awaitReady()
    let before = try world.inode()
    try first.send(SIGKILL)
    _ = try first.status()
    let stranger = try SharedListener(other)
    let second = try unit.start(local + socket("\"\(other)\"", named: "other"))
    #expect(try second.status() == 1, "\(world.log)")
    #expect(access(path, F_OK) == 0)
    try unit.start(local + socket("\"\(other)\"", named: "other"))
    try eventually("it waits") { world.log.components(of: "waiting a moment").count == 3 ? true : nil }
    stranger.close()
    try unit.awaitReady(2)
    #expect(try world.inode() == before)
    unit.notify.takeMessages()
    #expect(unit.notify.store.count == 2)
  }

  @Test("too many for the store are told")
  func tooMany() throws {
    let other = World.address()
    try unit.start(
      socket("[\"\(address)\", \"\(other)\"]") + service("serve"), store: "1")
    try unit.awaitReady()
    #expect(world.log.contains("has room for 1, and there are 2 listeners: raise FileDescriptorStoreMax="))
    let doctor = try world.ctl("doctor")
    #expect(doctor.output.contains("raise FileDescriptorStoreMax="), "\(doctor.output)")
  }
}

/// A listener that can be closed before its owner goes.
private final class SharedListener {
  private var descriptor: FileDescriptor?

  init(_ address: String) throws { descriptor = try listener(on: address) }

  func close() { descriptor = nil }
}

extension String {
  /// What is between the places where some words are.
  fileprivate func components(of words: String) -> [Substring] {
    split(separator: words, omittingEmptySubsequences: false)
  }
}

/// A connection to a service of the fixture at a Unix path.
private final class UnixClient {
  private let socket: FileDescriptor

  init(_ path: String) throws {
    socket = try Client.make(SOCK_STREAM, family: AF_UNIX)
    let number = socket.number
    let code = try UnixStream.withAddress(of: path) { connect(number, $0, $1) == 0 ? 0 : errno }
    if code != 0 { throw SystemError("connect to", path, code: code) }
  }

  func answer() throws -> Int32? {
    var buffer = [UInt8](repeating: 0, count: 64)
    let count = try buffer.withUnsafeMutableBytes { try socket.read(into: $0) }
    return Int32(String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n").first ?? "")
  }
}
