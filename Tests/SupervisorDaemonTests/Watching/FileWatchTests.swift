// The watch over real folders: what editors, git and mkdir -p do, step by step.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A watch over files", .timeLimit(.minutes(5)))
struct FileWatchTests {
  private let folder: TestFolder
  private let loop: EventLoop

  init() throws {
    folder = try TestFolder()
    loop = try EventLoop()
  }

  /// The steps of a script are processes: on a busy machine they take their time.
  private static let delay: Duration = .milliseconds(150)
  private static let quiet: Duration = .milliseconds(900)

  /// What a watch tells.
  private final class Told {
    var beginnings: [String] = []
    var changes: [String] = []
    var remarks: [String] = []
  }

  private func watch(
    _ patterns: [String] = ["*.py"], ignored: [String] = [], root: String? = nil
  ) throws -> (FileWatch, Told) {
    let told = Told()
    let definition = WatchDefinition(
      folder: root ?? folder.path, patterns: patterns, ignored: ignored, delay: Self.delay)
    let watch = try FileWatch(definition, loop: loop) { news in
      switch news {
      case .began(let file): told.beginnings.append(file)
      case .ended(let change): if let change { told.changes.append(change.text) }
      case .remark(let remark): told.remarks.append(remark)
      }
    }
    return (watch, told)
  }

  /// Turns the loop until so much was told, and then until it is quiet.
  private func settle(_ told: Told, _ count: Int = 1) throws {
    let end = Clock.now() + .seconds(15)
    while told.changes.count + told.remarks.count < count, Clock.now() < end {
      _ = try loop.turn(atMost: .milliseconds(50))
    }
    while try loop.turn(atMost: Self.quiet) {}
  }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  private func write(_ name: String, _ text: String = "x") throws {
    let file = try FileDescriptor.open(path(name), O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    var bytes = Array(text.utf8)
    _ = try bytes.withUnsafeMutableBytes { try file.write(UnsafeRawBufferPointer($0)) }
  }

  private func run(_ script: String) throws {
    let shell = try Spawned("/bin/sh", ["-ec", "cd \"$1\"\n" + script, "sh", folder.path])
    #expect(try shell.status() == 0, "\(script)")
  }

  @Test(
    "tells of each save once",
    arguments: [
      ("in place", "echo 2 > server.py"),
      ("without a difference", "cat server.py > copy; cat copy > server.py; rm copy"),
      ("touch", "touch server.py"),
      (
        "vim: the old file becomes the backup",
        "echo > 4913; rm 4913; mv server.py server.py~; echo 2 > server.py; rm server.py~"
      ),
      ("vim with backupcopy=yes", "cp server.py server.py~; echo 2 > server.py; rm server.py~"),
      ("an atomic replacement", "echo 2 > server.py.tmp; mv server.py.tmp server.py"),
      ("an atomic replacement by any name", "echo 2 > .server.py.Xa3; mv .server.py.Xa3 server.py"),
      (
        "JetBrains",
        "echo 2 > server.py___jb_tmp___; mv server.py server.py___jb_old___; mv server.py___jb_tmp___ server.py; rm server.py___jb_old___"
      ),
      (
        "emacs: lock, automatic save, backup",
        "ln -s me@host.1 '.#server.py'; echo > '#server.py#'; mv server.py server.py~; echo 2 > server.py; rm '#server.py#' '.#server.py'"
      ),
      ("sed -i", "sed -i s/1/2/ server.py"),
      ("removed and written", "rm server.py; echo 2 > server.py"),
      ("a hard link", "echo 2 > other; rm server.py; ln other server.py; rm other"),
      ("a symbolic link", "echo 2 > other; ln -sf other server.py; rm other"),
    ])
  func saves(_ name: String, _ script: String) throws {
    for patterns in [["*.py"], ["**"]] {
      try write("server.py", "1\n")
      let (watch, told) = try watch(patterns)
      try run(script)
      try settle(told)
      #expect(told.changes.count == 1, "\(name)")
      #expect(told.beginnings == ["server.py"], "\(name)")
      #expect(patterns == ["**"] || told.changes == ["server.py changed"], "\(name)")
      #expect(told.remarks == [])
      withExtendedLifetime(watch) {}
    }
  }

  @Test("tells of new and removed files, and not of others")
  func files() throws {
    let (watch, told) = try watch()
    try run(
      "echo > README; mkdir empty; rmdir empty; echo > x.pyc; mkdir .git; echo > .git/a.py; chmod 600 README")
    try write("a.py")
    try settle(told)
    #expect(told.changes == ["a.py changed"])
    try run("rm a.py")
    try settle(told, 2)
    #expect(told.changes == ["a.py changed", "a.py was removed"])
    withExtendedLifetime(watch) {}
  }

  @Test("watches new folders with what was in them before it knew, and forgets those that went")
  func folders() throws {
    let (watch, told) = try watch()
    try run("mkdir -p a/b/c; echo > a/b/c/deep.py")
    try settle(told)
    #expect(told.changes == ["a/b/c/deep.py changed"])
    #expect(watch.count == 4)
    try run("echo 2 > a/b/c/deep.py")
    try settle(told, 2)
    #expect(told.changes.last == "a/b/c/deep.py changed")
    try run("mv a/b moved")
    try settle(told, 3)
    #expect(told.changes.last?.contains("moved/c/deep.py") == true)
    #expect(watch.count == 4)
    try run("rm -r moved a")
    try settle(told, 4)
    #expect(watch.count == 1)
    let outside = try TestFolder()
    try run("mkdir d; echo > d/x.py; mv d '\(outside.path)/d'")
    try settle(told, 5)
    let count = told.changes.count
    try run("echo > '\(outside.path)/d/x.py'")
    try settle(told, 0)
    #expect(told.changes.count == count)
    #expect(watch.count == 1)
  }

  @Test("is one change when git checks out many files, and none for what git does in its folder")
  func checkout() throws {
    try run(
      """
      git init -q -b main . ; git config user.email a@b; git config user.name x
      for i in 1 2 3 4 5 6 7 8 9; do mkdir -p d$i; echo 1 > d$i/a.py; echo 1 > d$i/b.py; done
      git add . ; git commit -q -m one; git checkout -q -b other
      for i in 1 2 3 4 5 6 7 8 9; do echo 2 > d$i/a.py; git rm -q d$i/b.py; done
      mkdir new; echo > new/c.py; git add . ; git commit -q -m two
      """)
    let (watch, told) = try watch()
    try run("git checkout -q main")
    try settle(told)
    #expect(told.changes.count == 1, "\(told.changes)")
    try run("git status >/dev/null; git commit -q --allow-empty -m three; git gc -q")
    try settle(told, 0)
    #expect(told.changes.count == 1, "\(told.changes)")
    withExtendedLifetime(watch) {}
  }

  @Test("respects .gitignore files, also one that changes, and those above the folder")
  func gitignore() throws {
    try run(
      "git init -q . ; mkdir -p app/gen app/src; echo '*_pb.py' > .gitignore; echo /gen/ > app/.gitignore")
    let (watch, told) = try watch(root: path("app"))
    #expect(watch.count == 2)
    try run("echo > app/gen/x.py; echo > app/src/x_pb.py; echo > app/src/x.py")
    try settle(told)
    #expect(told.changes == ["src/x.py changed"])
    try run("echo > app/.gitignore")
    try settle(told, 0)
    #expect(watch.count == 3)
    try run("echo > app/gen/x.py")
    try settle(told, 2)
    #expect(told.changes.last == "gen/x.py changed")
    try run("echo /src/ > app/x.tmp; mv app/x.tmp app/.gitignore")
    try settle(told, 0)
    try run("echo > app/src/x.py")
    try settle(told, 0)
    #expect(told.changes.count == 2)
    #expect(told.remarks == [])
  }

  @Test("follows a link to its folder, and no link in it")
  func links() throws {
    let outside = try TestFolder()
    try run("ln -s '\(outside.path)' link; mkdir real; ln -s real/ root")
    let (watch, told) = try watch()
    #expect(watch.count == 2)
    let (linked, also) = try self.watch(root: path("root"))
    try run("echo > real/a.py; echo > '\(outside.path)/a.py'")
    try settle(told)
    #expect(told.changes == ["real/a.py changed"])
    #expect(also.changes == ["a.py changed"])
    withExtendedLifetime(linked) {}
  }

  @Test("says that its folder went, and that a folder can't be read")
  func gone() throws {
    #expect(throws: SystemError.self) { try self.watch(root: path("missing")) }
    try run("mkdir a")
    let (watch, told) = try watch(root: path("a"))
    try run("mv a b")
    try settle(told)
    #expect(watch.isOver)
    #expect(told.remarks.count == 1)
    #expect(told.remarks.first?.contains("was removed or moved") == true, "\(told.remarks)")
  }

  @Test("goes on when the kernel lost events, and is one change then")
  func overflow() throws {
    let limit = contents(ofSmallFile: "/proc/sys/fs/inotify/max_queued_events")
    let count = try #require(Int(String(decoding: limit ?? [], as: UTF8.self).filter(\.isNumber)))
    guard count <= 20_000 else { return }
    try run("mkdir a b")
    let (watch, told) = try watch()
    // Two events each, of different kinds: the kernel merges equal ones that follow each other.
    for _ in 0..<(count / 2 + 10) {
      for name in ["a/x", "b/x"] { try write(name) }
    }
    try run("mkdir a/new")
    try settle(told)
    #expect(told.changes == ["too many files changed for the kernel to tell which"])
    #expect(watch.count == 4)
    try write("a/new/y.py")
    try settle(told, 2)
    #expect(told.changes.last == "a/new/y.py changed")
  }
}
