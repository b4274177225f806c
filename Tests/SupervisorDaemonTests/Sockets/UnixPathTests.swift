import Glibc
import Supervisor
import SupervisorDaemon
import Testing

// Where a test needs a socket to be gone once it is closed, it runs in a process of its own: while another test
// starts a process, that one has copies of all descriptors until it executes its program.
@Suite("The path of a Unix socket", .timeLimit(.minutes(5)))
struct UnixPathTests {
  static let kinds = SocketAddress.UnixKind.allCases

  @Test("a stale path is replaced, whatever kind left it")
  func stale() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      for (left, wanted) in Self.kinds.flatMap({ left in Self.kinds.map { (left, $0) } }) {
        let before = RawSocket(folder.address(left))
        #expect(before.bind(to: folder.address(left)) == 0)
        _ = consume before
        let listener = try openOne(definition(folder.address(wanted)))
        expectServing(listener)
        _ = listener.close()
      }
    }
  }

  @Test("a path that somebody has, listening or only bound, is spared", arguments: kinds, [false, true])
  func alive(kind: SocketAddress.UnixKind, listening: Bool) throws {
    let folder = try TemporaryFolder()
    let address = folder.address(kind)
    let other = RawSocket(address)
    #expect(other.bind(to: address) == 0)
    if listening, address.accepts { #expect(listen(other.fd, 1) == 0) }
    let inode = fileStatus(folder.path + "/s")?.st_ino
    for wanted in Self.kinds {
      #expect(failure(definition(folder.address(wanted)))?.kind == .addressInUse)
    }
    #expect(fileStatus(folder.path + "/s")?.st_ino == inode)
    // The proof is no connection: a living server sees nothing of it.
    #expect(!isReadable(other.fd, milliseconds: 0))
  }

  @Test(
    "the mode is the configured one, 0666 else, whatever the umask",
    arguments: [nil, 0o600, 0o660, 0o222] as [UInt32?])
  func mode(mode: UInt32?) async throws {
    await #expect(processExitsWith: .success) { [mode = mode as UInt32?] in
      umask(0o137)
      let folder = try TemporaryFolder()
      let listener = try openOne(definition(folder.address()) { $0.mode = mode })
      #expect(fileStatus(folder.path + "/s").map { $0.st_mode & 0o7777 } == mode ?? 0o666)
      #expect(umask(0o137) == 0o137)
      _ = listener.close()
    }
  }

  @Test("user and group are the configured ones", .enabled(if: geteuid() == 0))
  func owner() throws {
    let folder = try TemporaryFolder()
    let cases: [(String?, String?, uid_t, gid_t)] = [
      ("nobody", nil, 65534, 65534), ("nobody", "0", 65534, 0), ("4711", nil, 4711, getegid()),
      (nil, "4712", 0, 4712),
    ]
    for (user, group, uid, gid) in cases {
      let listener = try openOne(
        definition(folder.address()) {
          $0.user = user
          $0.group = group
          $0.mode = 0o640
        })
      let status = try #require(fileStatus(folder.path + "/s"))
      #expect(status.st_uid == uid)
      #expect(status.st_gid == gid)
      #expect(status.st_mode & 0o7777 == 0o640)
      _ = listener.close()
    }
  }

  @Test("it goes with the listener if it is still ours")
  func removed() throws {
    let folder = try TemporaryFolder()
    let listener = try openOne(definition(folder.address()))
    #expect(listener.close().isEmpty)
    #expect(folder.entries.isEmpty)
  }

  @Test("it stays when somebody replaced it, which is said")
  func foreign() throws {
    let folder = try TemporaryFolder()
    let listener = try openOne(definition(folder.address()))
    unlink(folder.path + "/s")
    close(creat(folder.path + "/s", 0o600))
    let remarks = listener.close()
    #expect(remarks.count == 1)
    #expect(remarks.first?.hasSuffix("somebody replaced it") == true)
    #expect(folder.entries == ["s"])
  }

  @Test("it stays when asked to stay")
  func kept() throws {
    let folder = try TemporaryFolder()
    let listener = try openOne(definition(folder.address()))
    #expect(listener.close(.keepingPath).isEmpty)
    #expect(folder.entries == ["s"])
  }
}
