import SupervisorDaemon
import Testing

@Suite("A Procfile", .timeLimit(.minutes(5)))
struct ProcfileTests {
  private func processes(_ text: String) throws -> [Procfile.Process] {
    try Procfile.parse(text, path: "Procfile").get()
  }

  private func problem(_ text: String) -> String? {
    switch Procfile.parse(text, path: "Procfile") {
    case .success: nil
    case .failure(let failure): failure.description
    }
  }

  @Test("names a process and its command in each line, in this order")
  func lines() throws {
    let found = try processes("web: flask run --port $PORT\nworker: rq worker | tee log\n")
    #expect(found.map(\.name) == ["web", "worker"])
    #expect(found.map(\.command) == ["flask run --port $PORT", "rq worker | tee log"])
    #expect(found[1].words == ["/bin/sh", "-c", "rq worker | tee log"])
  }

  @Test("may have comments, blank lines, line ends of Windows and a byte order mark")
  func shapes() throws {
    let found = try processes("\u{FEFF}# all of it\r\n\r\nweb:a:b  \r\n  db :\tpostgres\r\n")
    #expect(found.map(\.name) == ["web", "db"])
    #expect(found.map(\.command) == ["a:b", "postgres"])
    #expect(found.map(\.line) == [3, 4])
  }

  @Test("says in which line it is wrong, and all of it at once")
  func errors() {
    #expect(
      problem("web: a\nflask run\nweb: b\nb c: d\ndb:\n") == """
        Procfile:2: error: expected "name: command", found 'flask run'
        Procfile:3: error: 'web' is there twice, first in line 1
        Procfile:4: error: the name 'b c' can't be one: ' ' is not allowed, only letters, digits and . _ @ -
        Procfile:5: error: 'db' has no command behind its colon
        """)
  }

  @Test("has to name something")
  func empty() {
    #expect(
      problem("# nothing\n") == "Procfile: error: it names no process; a line is as \"web: flask run\"")
  }
}
