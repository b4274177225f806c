// Where the control sockets of directories are.

import Glibc
import Supervisor
import Testing

@Suite("Control sockets of directories")
struct DirectoryControlTests {
  private func folder(_ uid: UInt32, _ environment: [String: String], owner: UInt32? = nil) -> RuntimeFolder {
    RuntimeFolder(uid: uid, environment: { environment[$0] }, ownerOfFolder: { _ in owner })
  }

  @Test("the folder is root's own, else the user's runtime folder, else one below /tmp")
  func folders() {
    #expect(folder(0, ["XDG_RUNTIME_DIR": "/r"], owner: 0).path == "/run/fdsupervisord")
    #expect(folder(1000, ["XDG_RUNTIME_DIR": "/r"], owner: 1000).path == "/r/fdsupervisord")
    #expect(folder(1000, ["XDG_RUNTIME_DIR": "/r"], owner: 0).path == "/tmp/fdsupervisord-1000")
    #expect(folder(1000, ["XDG_RUNTIME_DIR": "r"], owner: 1000).path == "/tmp/fdsupervisord-1000")
    #expect(folder(1000, [:]).path == "/tmp/fdsupervisord-1000")
  }

  @Test("a directory's socket is named by its device and inode, and fits into a Unix address")
  func name() {
    let identity = DirectoryIdentity(device: 0xfd01, inode: 0x2a0c3f)
    let path = ControlPath.ofDirectory(identity, in: folder(0, [:]))
    #expect(path == "/run/fdsupervisord/run/fd01-2a0c3f.sock")
    let longest = DirectoryIdentity(device: .max, inode: .max)
    #expect(ControlPath.ofDirectory(longest, in: folder(.max, [:])).utf8.count <= UnixStream.longestPath)
  }

  @Test("a symbolic link to a directory means that directory")
  func link() throws {
    let link = "/tmp/directory-control-\(getpid())"
    #expect(symlink("/usr", link) == 0)
    defer { unlink(link) }
    #expect(try DirectoryIdentity(of: link) == DirectoryIdentity(of: "/usr"))
    #expect(throws: SystemError.self) { try DirectoryIdentity(of: link + "/nowhere") }
  }

  @Test("a folder below /tmp that others can get at is not used, and why is said")
  func suspect() throws {
    // A number that no user has.
    let user: UInt32 = 4_000_000_000 + UInt32(getpid())
    let folder = folder(user, [:])
    #expect(folder.objection == nil)
    #expect(mkdir(folder.path, 0o700) == 0)
    defer { rmdir(folder.path) }
    #expect(folder.objection?.contains("belongs to user") == true)
    #expect(ControlPath.upwards(in: folder).isEmpty)
    #expect(throws: RuntimeFolderError.self) { try folder.create() }
    #expect(rmdir(folder.path) == 0)
    #expect(symlink("/usr", folder.path) == 0)
    #expect(folder.objection?.contains("is no folder") == true)
    #expect(unlink(folder.path) == 0)
  }

  @Test("the daemon's side makes the folders, for this user alone")
  func create() throws {
    var template = Array("/tmp/directory-control-XXXXXX".utf8CString)
    let base = try #require(mkdtemp(&template).map { String(cString: $0) })
    defer { for name in ["/fdsupervisord/run", "/fdsupervisord", ""] { rmdir(base + name) } }
    let user = max(1, geteuid())
    let folder = RuntimeFolder(uid: user, environment: { _ in base }, ownerOfFolder: { _ in user })
    try folder.create()
    try folder.create()
    var status = stat()
    #expect(stat(folder.ofDirectories, &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o700)
  }

  @Test("sockets are found upwards, nearest first")
  func upwards() throws {
    var template = Array("/tmp/directory-control-XXXXXX".utf8CString)
    let base = try #require(mkdtemp(&template).map { String(cString: $0) })
    let user = max(1, geteuid())
    let folder = RuntimeFolder(uid: user, environment: { _ in base }, ownerOfFolder: { _ in user })
    try folder.create()
    let above = ControlPath.ofDirectory(try DirectoryIdentity(of: ".."), in: folder)
    let root = ControlPath.ofDirectory(try DirectoryIdentity(of: "/"), in: folder)
    defer {
      for path in Set([above, root]) { unlink(path) }
      for name in ["/fdsupervisord/run", "/fdsupervisord", ""] { rmdir(base + name) }
    }
    for path in [root, above] { close(open(path, O_CREAT | O_WRONLY, 0o600)) }
    let found = ControlPath.upwards(in: folder)
    #expect(found.first?.path == above)
    #expect(found.first?.level == 1)
    #expect(found.last?.path == root)
    #expect(found.last?.directory == "/")
  }
}
