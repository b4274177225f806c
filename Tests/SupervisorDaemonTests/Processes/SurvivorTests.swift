// Keepers without a daemon: what they hold, whom they let in, and what they tell him.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A keeper whose daemon died", .timeLimit(.minutes(5)))
struct SurvivorTests {
  private let folder: TestFolder
  private let doors: KeeperFolder

  init() throws {
    folder = try TestFolder()
    doors = try KeeperFolder(path: folder.path + "/keepers")
  }

  private func kept(_ script: String, listener: CInt? = nil, survives: Bool = true) throws -> KeptProcess {
    let kept = try KeptProcess(["/bin/sh", "-c", script], doors: doors, listener: listener) {
      if survives { $0.survival = .held(fingerprint: 0x1234_5678_9abc_def0) }
    }
    _ = try kept.main()
    return kept
  }

  private func meet() throws -> Survivor {
    let all = try Survivor.meetAll(in: doors)
    #expect(all.count == 1)
    return try #require(all.first)
  }

  /// The next message of one that was taken over.
  private func message(of keeper: Keeper) throws -> Keeper.Message {
    if let message = keeper.receive() { return message }
    var question = pollfd(fd: keeper.connection, events: Int16(POLLIN), revents: 0)
    #expect(try retrying("poll") { poll(&question, 1, 20_000) } == 1)
    return try #require(keeper.receive())
  }

  @Test("holds its program for the next daemon, and for the one after that, and tells all that it knows")
  func holds() throws {
    let address = World.address()
    let socket = try listener(on: address)
    let inode = try socket.status().st_ino
    let kept = try kept("read line; exit 3", listener: socket.number)
    let pid = try #require(kept.keeper?.main?.livingPID)
    kept.letGo()
    for round in 1...3 {
      let survivor = try meet()
      #expect(survivor.keeper.pid == kept.pid && !survivor.keeper.isChild)
      #expect(survivor.left.pid == pid && survivor.left.generation == 1 && survivor.left.service == "app")
      #expect(survivor.left.exit == nil && survivor.left.intent == .held)
      #expect(survivor.left.fingerprint == 0x1234_5678_9abc_def0)
      #expect(survivor.left.readiness == (round == 1 ? .notYet : .ready))
      #expect(survivor.keeper.main?.livingPID == pid)
      let listeners = survivor.takeListeners().map { FileDescriptorBox(FileDescriptor(owning: $0)) }
      #expect(try listeners.map { try $0.descriptor.status().st_ino } == [inode])
      survivor.keeper.noteReady()
    }
    let last = try meet()
    try kept.tell("go")
    #expect(try message(of: last.keeper) == .exited(.exited(3)))
    #expect(try message(of: last.keeper) == .emptied)
    #expect(try kept.awaitEnd() == .exited(0))
  }

  @Test("holds how its program ended until there is somebody to tell")
  func holdsTheEnd() throws {
    let kept = try kept("read line; exit 5")
    kept.letGo()
    try kept.tell("go")
    try eventually("the program is gone") { kept.descendants.isEmpty ? true : nil }
    for _ in 1...2 {
      let survivor = try meet()
      if survivor.left.exit == nil { continue }
      #expect(survivor.left.exit == .exited(5))
      #expect(try message(of: survivor.keeper) == .emptied)
      break
    }
    #expect(try kept.awaitEnd() == .exited(0))
  }

  @Test("and is not to hold anything sweeps, and tells the next daemon when nobody is left")
  func sweeps() throws {
    let kept = try kept("trap '' TERM HUP; echo up; sleep 60; sleep 60", survives: false)
    #expect(try kept.line() == "up")
    kept.letGo()
    let survivor = try meet()
    #expect(survivor.left.intent == .ending)
    var last = try message(of: survivor.keeper)
    while last != .emptied { last = try message(of: survivor.keeper) }
    #expect(survivor.keeper.hasEmptied)
    #expect(try kept.awaitEnd() == .exited(0))
  }

  @Test("ends what it holds when it is told to")
  func ends() throws {
    let kept = try kept("sleep 60")
    kept.letGo()
    let survivor = try meet()
    survivor.keeper.sweep()
    #expect(try message(of: survivor.keeper) == .exited(.signalled(SIGTERM, coreDumped: false)))
    #expect(try message(of: survivor.keeper) == .emptied)
    #expect(try kept.awaitEnd() == .exited(0))
  }

  @Test("ends when it was told to by one who left at once, as a daemon does that dies")
  func endsAfterAll() throws {
    for _ in 1...20 {
      let kept = try kept("read line")
      kept.letGo()
      let pid = try #require(ProcessTable.children(of: kept.pid).first)
      _ = try PidFD.open(try #require(ProcessTable.stat(of: pid)).identity).send(SIGKILL)
      try eventually("nobody is left") { kept.descendants.isEmpty ? true : nil }
      for survivor in try Survivor.meetAll(in: doors) { survivor.keeper.sweep() }
      #expect(try kept.awaitEnd() == .exited(0))
    }
  }

  @Test("is continued when somebody stopped it")
  func stopped() throws {
    let kept = try kept("read line")
    kept.letGo()
    _ = try PidFD.open(try #require(ProcessTable.stat(of: kept.pid)).identity).send(SIGSTOP)
    try eventually("it is stopped") { ProcessTable.stat(of: kept.pid)?.state == "T" ? true : nil }
    let survivor = try meet()
    #expect(survivor.left.intent == .held)
    #expect(survivor.remarks.contains { $0.contains("was stopped") })
  }

  /// Connects, sends nonsense, and prints what came: under another user when a number is given.
  private static let intruder = """
    import os, socket, sys
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if len(sys.argv) > 2: os.setuid(int(sys.argv[2]))
    s.connect(sys.argv[1])
    s.settimeout(10)
    try: print(len(s.recv(4096)), flush=True)
    except ConnectionResetError: print(0, flush=True)
    try:
        for size in (1, 24, 3000): s.send(bytes([33]) * size)
    except OSError: pass
    """

  private func intrude(_ words: String...) throws -> String {
    let output = folder.path + "/intruder"
    let process = try Spawned(
      "/usr/bin/env", ["python3", "-c", Self.intruder, doors.path + "/app.1"] + words, output: .file(output),
      errors: .file(output))
    #expect(try process.status() == 0)
    return String(decoding: contents(ofSmallFile: output) ?? [], as: UTF8.self)
  }

  @Test("goes on after nonsense and visitors that leave")
  func nonsense() throws {
    let kept = try kept("read line; exit 3")
    kept.letGo()
    #expect(try intrude() != "0\n")
    let survivor = try meet()
    #expect(survivor.left.intent == .held)
    try kept.tell("go")
    #expect(try message(of: survivor.keeper) == .exited(.exited(3)))
  }

  @Test("lets nobody in who is another user", .enabled(if: geteuid() == 0))
  func otherUser() throws {
    let kept = try kept("read line; exit 3")
    kept.letGo()
    chmod(folder.path, 0o755)
    chmod(doors.path, 0o755)
    chmod(doors.path + "/app.1", 0o777)
    #expect(try intrude("65534") == "0\n")
    #expect(try meet().left.intent == .held)
  }

  @Test("is told apart from what else lies in the folder: stale sockets go, files stay")
  func junk() throws {
    let file = try FileDescriptor.open(doors.path + "/app.2", O_WRONLY | O_CREAT, mode: 0o600)
    _ = try file.status()
    let stale = try KeeperDoor(doors.path + "/old.9", backlog: nil)
    #expect(try Survivor.meetAll(in: doors).isEmpty)
    #expect(access(doors.path + "/app.2", F_OK) == 0 && access(doors.path + "/old.9", F_OK) == -1)
    withExtendedLifetime(stale) {}
  }

  @Test("is found in a folder whose path is too long for the address of a socket")
  func longPath() throws {
    let path = folder.path + "/" + String(repeating: "x", count: 100)
    let doors = try KeeperFolder(path: path)
    let kept = try KeptProcess(["/bin/sh", "-c", "read line"], doors: doors) {
      $0.survival = .held(fingerprint: 1)
    }
    _ = try kept.main()
    kept.letGo()
    #expect(try Survivor.meetAll(in: doors).map(\.left.intent) == [.held])
  }

  @Test("and does not answer is a survivor all the same: what its door is called ends before the next launch")
  func silent() throws {
    let door = try KeeperDoor(doors.path + "/my.app.7", backlog: 1)
    let survivors = try Survivor.meetAll(in: doors, within: .milliseconds(100))
    let left = try #require(survivors.first).left
    #expect(left.service == "my.app" && left.generation == 7 && left.intent == .ending && left.pid == nil)
    #expect(left.fate(wanted: 0) == .isEnded)
    withExtendedLifetime(door) {}
  }
}

/// A socket of the test in the folder of doors.
private final class KeeperDoor {
  private let descriptor: FileDescriptor

  init(_ path: String, backlog: CInt?) throws {
    descriptor = try Client.make(SOCK_SEQPACKET, family: AF_UNIX)
    let number = descriptor.number
    let code = try UnixStream.withAddress(of: path) { bind(number, $0, $1) == 0 ? 0 : errno }
    if code != 0 { throw SystemError("bind", path, code: code) }
    if let backlog { listen(number, backlog) }
  }
}

private final class FileDescriptorBox {
  let descriptor: FileDescriptor
  init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}
