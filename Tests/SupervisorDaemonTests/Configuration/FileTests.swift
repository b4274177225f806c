// Which files are read: trust, limits and includes.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The files of a configuration", .timeLimit(.minutes(5)))
struct FileTests {
  private static let service = "[service.app]\ncommand = \"x\"\n"

  @Test("that is missing is one line with the path and the reason")
  func missing() throws {
    let folder = try ConfigurationFolder()
    #expect(folder.findings() == "c.toml: error: cannot read c.toml: No such file or directory")
  }

  @Test("that is a directory or a FIFO is refused without waiting")
  func irregular() throws {
    let folder = try ConfigurationFolder()
    try folder.folder("d")
    try folder.fifo("f")
    #expect(folder.findings("d") == "d: error: cannot read d: it is a directory, not a regular file")
    #expect(folder.findings("f") == "f: error: cannot read f: it is a FIFO, not a regular file")
    guard case .failure(let found) = ConfigurationLoader.load("/dev/zero") else {
      Issue.record("it was accepted")
      return
    }
    #expect(
      found.map(\.description) == [
        "/dev/zero: error: cannot read /dev/zero: it is a device, not a regular file"
      ])
  }

  @Test("of more than 1 MiB is refused, of 1 MiB is read")
  func size() throws {
    let folder = try ConfigurationFolder()
    let line = Array(("#" + String(repeating: "x", count: 62) + "\n").utf8)
    let mebibyte = [[UInt8]](repeating: line, count: 16384).flatMap { $0 }
    try folder.write(mebibyte, to: "c.toml")
    try folder.write(mebibyte + [10], to: "d.toml")
    #expect(folder.findings() == "")
    #expect(folder.findings("d.toml") == "d.toml: error: cannot read d.toml: it is longer than 1 MiB")
  }

  @Test("that others may write is refused to root", .enabled(if: geteuid() == 0))
  func writable() throws {
    let folder = try ConfigurationFolder()
    try folder.write(Self.service, to: "c.toml")
    let path = folder.path + "/c.toml"
    for (mode, text) in [(mode_t(0o666), "0666"), (0o646, "0646")] {
      chmod(path, mode)
      let why = "refusing to read c.toml: others may write it (mode \(text)); run: chmod go-w c.toml"
      #expect(folder.findings() == "c.toml: error: " + why)
    }
    chmod(path, 0o664)
    #expect(folder.findings() == "")
    chown(path, 0, 12345)
    #expect(folder.findings().contains("others may write it (mode 0664)"))
    chown(path, 12345, 0)
    let owner =
      "refusing to read c.toml: it belongs to user 12345, who could have root run anything; run: chown root c.toml"
    #expect(folder.findings() == "c.toml: error: " + owner)
  }

  @Test("are included in name order, each relative to the file that names it")
  func includes() throws {
    let folder = try ConfigurationFolder()
    try folder.folder("conf.d")
    try folder.folder("conf.d/more")
    try folder.write("include = [\"conf.d/*.toml\", \"none.d/*.toml\"]\n" + Self.service, to: "c.toml")
    try folder.write("[service.b]\ncommand = \"x\"\ndirectory = \"run\"\n", to: "conf.d/b.toml")
    try folder.write("include = [\"more/c.toml\"]\n[service.a]\ncommand = \"x\"\n", to: "conf.d/a.toml")
    try folder.write(
      "[service.c]\ncommand = \"x\"\nlog = { file = \"/abs.log\" }\n", to: "conf.d/more/c.toml")
    try folder.write("wrong", to: "conf.d/ignored.txt")
    let services = try folder.configuration().services
    #expect(services.map(\.name) == ["app", "a", "c", "b"])
    #expect(services.map(\.directory) == [nil, nil, nil, folder.path + "/conf.d/run"])
    #expect(services[2].log == .file(LogFileDefinition(path: "/abs.log")))
  }

  @Test("that define the same name are both named")
  func redefinition() throws {
    let folder = try ConfigurationFolder()
    try folder.write(
      "include = [\"d.toml\"]\n[daemon]\n[socket.w]\nlisten = \"80\"\n" + Self.service, to: "c.toml")
    try folder.write("[daemon]\n[service.app]\n[socket.w]\n", to: "d.toml")
    #expect(
      folder.findings() == """
        c.toml:3:9: warning: no service has the socket 'w'
        [socket.w]
                ^
        d.toml:1:2: error: [daemon] is already defined at c.toml:2:2
        [daemon]
         ^~~~~~
        d.toml:2:10: error: [service.app] is already defined at c.toml:5:10
        [service.app]
                 ^~~
        d.toml:3:9: error: [socket.w] is already defined at c.toml:3:9
        [socket.w]
                ^
        """)
  }

  @Test("may not be included twice, nor include themselves")
  func twice() throws {
    let folder = try ConfigurationFolder()
    try folder.write("include = [\"d.toml\", \"./d.toml\", \"c.toml\"]\n", to: "c.toml")
    try folder.write("include = [\"c.toml\"]\n", to: "d.toml")
    #expect(
      folder.findings() == """
        c.toml:1:22: error: ./d.toml is included twice, first as d.toml
        include = ["d.toml", "./d.toml", "c.toml"]
                             ^~~~~~~~~~
        c.toml:1:34: error: c.toml is included twice, first as c.toml
        include = ["d.toml", "./d.toml", "c.toml"]
                                         ^~~~~~~~
        d.toml:1:12: error: c.toml is included twice, first as c.toml
        include = ["c.toml"]
                   ^~~~~~~~
        """)
  }

  @Test("are included up to eight levels deep")
  func depth() throws {
    let folder = try ConfigurationFolder()
    for level in 0...8 { try folder.write("include = [\"\(level + 1).toml\"]\n", to: "\(level).toml") }
    try folder.write(Self.service, to: "9.toml")
    let finding = "8.toml:1:12: error: includes are nested deeper than 8 levels\ninclude = [\"9.toml\"]\n"
    #expect(folder.findings("0.toml") == finding + "           ^~~~~~~~")
    #expect(folder.findings("1.toml") == "")
  }

  @Test("that are missing or broken hide no other error, and cause none")
  func broken() throws {
    let folder = try ConfigurationFolder()
    try folder.write(
      "include = [\"gone.toml\", \"d.toml\"]\n" + Self.service + "after = [\"db\"]\nnice = 99\n", to: "c.toml"
    )
    try folder.write("[service.db\n", to: "d.toml")
    #expect(
      folder.findings() == """
        c.toml:1:12: error: cannot include 'gone.toml': No such file or directory
        include = ["gone.toml", "d.toml"]
                   ^~~~~~~~~~~
        c.toml:5:8: error: 99 is outside -20…19
        nice = 99
               ^~
        d.toml:1:12: error: expected ']', saw '\\n'
        [service.db
                   ^
        """)
  }

  @Test("lie in a folder whose name may look like a pattern")
  func patternInFolder() throws {
    let folder = try ConfigurationFolder()
    try folder.folder("a[b]*")
    try folder.write("include = [\"*.inc\"]\n", to: "a[b]*/c.toml")
    try folder.write(Self.service, to: "a[b]*/x.inc")
    #expect(try folder.configuration("a[b]*/c.toml").services.count == 1)
  }
}
