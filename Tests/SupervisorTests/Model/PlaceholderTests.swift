// Placeholders in arguments and environment values.

import Supervisor
import Testing

@Suite("A placeholder")
struct PlaceholderTests {
  @Test("is found wherever it stands, and other braces are left alone")
  func found() {
    let text = "{ü}{fd:web}{fd:a b}{{port:x.y}}{address:}{fd:web"
    let found = Placeholder.all(in: text)
    #expect(found.map(\.kind) == [.fd, .port, .address])
    #expect(found.map(\.name) == ["web", "x.y", ""])
    #expect(found.map(\.offset) == [3, 20, 31])
    #expect(found.map(\.length) == [8, 10, 10])
  }

  @Test("is replaced by its value, and stays when it has none")
  func expanded() {
    let text = Placeholder.expand("é{fd:a}-{port:b}{}{fd:{fd:a}") { $0.kind == .fd ? "<\($0.name)>" : nil }
    #expect(text == "é<a>-{port:b}{}{fd:<a>")
    #expect(Placeholder.expand("", { _ in "x" }) == "")
  }
}
