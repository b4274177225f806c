import SupervisorDaemon
import Testing

@Suite("The keys of a console", .timeLimit(.minutes(5)))
struct KeyCommandTests {
  private func commands(_ text: String, _ place: KeyCommand.Place = .run) -> [KeyCommand] {
    KeyCommand.commands(in: Array(text.utf8), place)
  }

  @Test("are one letter each, capital or not; Enter makes room; what is unknown means nothing")
  func letters() {
    #expect(commands("rSt?") == [.restart, .status, .tree, .help])
    #expect(commands("q\r\nxyz\u{3}é") == [.quit, .separate, .separate])
  }

  @Test("are none of the bytes that an arrow or a function key sends")
  func sequences() {
    #expect(commands("\u{1B}[A\u{1B}OQ\u{1B}[15;2~s\u{1B}") == [.status])
    #expect(commands("\u{1B}rs") == [.status])
  }

  @Test("detach where a view is attached, and only there")
  func detach() {
    #expect(commands("d", .attached) == [.detach])
    #expect(commands("d", .run).isEmpty)
    #expect(commands("f", .attached).isEmpty)
  }

  @Test("are told by ?, each once")
  func help() {
    let lines = KeyCommand.help(in: .run)
    #expect(lines.first == "  r  restart every service")
    #expect(Set(lines).count == KeyCommand.available(in: .run).count)
    #expect(KeyCommand.help(in: .attached).contains { $0.hasPrefix("  q  stop the run") })
  }
}
