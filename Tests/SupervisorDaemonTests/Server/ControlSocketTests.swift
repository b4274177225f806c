import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The control socket", .timeLimit(.minutes(5))) struct ControlSocketTests {
  private func mode(_ path: String) -> mode_t? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode : nil
  }

  /// A bound socket that nobody listens on, as a dead daemon leaves it.
  private func leaveStale(_ path: String) throws { try bound(path, SOCK_STREAM).close() }

  private func bound(_ path: String, _ type: __socket_type) throws -> FileDescriptor {
    let socket = FileDescriptor(owning: Glibc.socket(AF_UNIX, CInt(type.rawValue), 0))
    let number = socket.number
    let result = try UnixStream.withAddress(of: path) { Glibc.bind(number, $0, $1) }
    #expect(result == 0)
    return socket
  }

  @Test("lets in nobody but its owner")
  func ownerOnly() throws {
    let folder = try TestFolder()
    let socket = try ControlSocket(path: folder.path + "/c", group: nil)
    #expect(mode(socket.path) == S_IFSOCK | 0o600)
  }

  @Test("lets in a group too, when there is one")
  func group() throws {
    let folder = try TestFolder()
    guard let entry = getgrgid(getegid()) else { return }
    let socket = try ControlSocket(path: folder.path + "/c", group: String(cString: entry.pointee.gr_name))
    #expect(mode(socket.path) == S_IFSOCK | 0o660)
    var status = stat()
    #expect(lstat(socket.path, &status) == 0 && status.st_gid == getegid())
  }

  @Test("says that there is no such group, and leaves nothing behind")
  func unknownGroup() throws {
    let folder = try TestFolder()
    #expect(throws: ControlServerError.unknownGroup("no-such-group")) {
      try ControlSocket(path: folder.path + "/c", group: "no-such-group")
    }
    #expect(mode(folder.path + "/c") == nil)
  }

  @Test("a stale path is replaced")
  func stale() throws {
    let folder = try TestFolder()
    let path = folder.path + "/c"
    try leaveStale(path)
    let socket = try ControlSocket(path: path, group: nil)
    let client = try UnixStream.make(.nonBlocking)
    try UnixStream.connect(client, to: socket.path)
  }

  @Test("a second daemon says who runs, and touches nothing")
  func second() throws {
    let server = try TestServer()
    let before = mode(server.path)
    let error = #expect(throws: ControlServerError.alreadyRunning(path: server.path, pid: getpid())) {
      try ControlSocket(path: server.path, group: nil)
    }
    let remedy = "stop it, or choose another place with --control"
    #expect(
      error?.description == "fdsupervisord is already running at \(server.path), pid \(getpid()); \(remedy)")
    #expect(mode(server.path) == before)
    let client = try server.client()
    try client.call(.status)
    #expect(try client.reply() == #"{"parameters":{"services":[]}}"#)
  }

  @Test("a file, a folder, a link and somebody's datagram socket are left alone")
  func occupied() throws {
    let folder = try TestFolder()
    let file = folder.path + "/file"
    try FileDescriptor.open(file, O_CREAT | O_WRONLY, mode: 0o600).close()
    mkdir(folder.path + "/folder", 0o700)
    symlink("/nowhere", folder.path + "/link")
    let datagram = try bound(folder.path + "/datagram", SOCK_DGRAM)
    for name in ["file", "folder", "link", "datagram"] {
      let path = folder.path + "/" + name
      let before = mode(path)
      #expect(throws: ControlServerError.occupied(path: path)) { try ControlSocket(path: path, group: nil) }
      #expect(mode(path) == before)
    }
    datagram.close()
  }

  @Test("its path goes with it, unless it has become somebody else's")
  func removal() throws {
    let folder = try TestFolder()
    let path = folder.path + "/c"
    do {
      let socket = try ControlSocket(path: path, group: nil)
      #expect(mode(path) != nil)
      socket.remove()
      #expect(mode(path) == nil)
      try leaveStale(path)
    }
    #expect(mode(path) != nil)
  }

  @Test("a missing folder is created below a runtime folder, and nowhere else")
  func folders() throws {
    let folder = try TestFolder()
    let path = folder.path + "/made/c"
    let error = #expect(throws: ControlServerError.self) { try ControlSocket(path: path, group: nil) }
    #expect(error?.description.contains("create its folder") == true)
    let socket = try ControlSocket(path: path, group: nil, runtimeFolders: [folder.path + "/"])
    #expect(mode(folder.path + "/made").map { $0 & S_IFMT } == S_IFDIR)
    #expect(mode(socket.path) == S_IFSOCK | 0o600)
    #expect(throws: ControlServerError.self) {
      try ControlSocket(path: folder.path + "/a/b/c", group: nil, runtimeFolders: [folder.path])
    }
  }

  @Test("a path of 107 bytes works, one of 108 is refused with the limit")
  func length() throws {
    let folder = try TestFolder()
    let room = UnixStream.longestPath - folder.path.utf8.count - 1
    let socket = try ControlSocket(path: folder.path + "/" + String(repeating: "x", count: room), group: nil)
    let client = try UnixStream.make(.nonBlocking)
    try UnixStream.connect(client, to: socket.path)
    let error = #expect(throws: ControlServerError.self) {
      try ControlSocket(path: folder.path + "/" + String(repeating: "x", count: room + 1), group: nil)
    }
    #expect(error?.description.contains("108 bytes, a Unix socket allows 107") == true)
  }

  @Test("of several that start at once over a stale path, exactly one gets it")
  func race() async throws {
    let folder = try TestFolder()
    let path = folder.path + "/c"
    try leaveStale(path)
    let winners = try await withThrowingTaskGroup(of: ControlSocket?.self) { group in
      for _ in 0..<8 {
        group.addTask {
          do throws(ControlServerError) {
            return try ControlSocket(path: path, group: nil)
          } catch {
            guard error == .alreadyRunning(path: path, pid: getpid()) else { throw error }
            return nil
          }
        }
      }
      // All are kept until all have tried.
      return try await group.reduce(into: [ControlSocket?]()) { $0.append($1) }.compactMap(\.self)
    }
    #expect(winners.count == 1)
    let client = try UnixStream.make(.nonBlocking)
    try UnixStream.connect(client, to: path)
  }

  @Test("a stranger's lock on the folder does not keep the daemon from starting")
  func foreignLock() throws {
    let folder = try TestFolder()
    let lock = try FileDescriptor.open(folder.path, O_RDONLY | O_DIRECTORY)
    #expect(flock(lock.number, LOCK_EX | LOCK_NB) == 0)
    let socket = try ControlSocket(path: folder.path + "/c", group: nil)
    #expect(mode(socket.path) != nil)
    flock(lock.number, LOCK_UN)
  }
}
