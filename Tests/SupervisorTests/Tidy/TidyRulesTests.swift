// The rules themselves: that they find what they are meant to find, and nothing else.

import Testing

@Suite("The rules for the sources", .timeLimit(.minutes(5)))
struct TidyRulesTests {
  private func file(_ path: String, _ text: String) -> SourceFile { SourceFile(path: path, text: text) }

  @Test("see code, but not comments and strings")
  func lexing() {
    let text = ##"""
      let a = "one \(two("three")) four" // five
      /* six /* seven */ eight */ let b = #"nine " \(ten) \#(eleven)"#
      let c = """
        twelve "\(thirteen)"
        """
      fourteen()
      """##
    let tokens = SwiftLexer.tokens(of: text)
    let words = tokens.filter { $0.text.first?.isLetter ?? false }
    #expect(
      words.map(\.text) == ["let", "a", "two", "let", "b", "eleven", "let", "c", "thirteen", "fourteen"])
    #expect(words.map(\.line) == [1, 1, 1, 2, 2, 2, 3, 3, 4, 6])
  }

  @Test("find a banned word in code, even in an interpolation")
  func bannedWords() {
    let rule = BannedWords(["try", "?"], "why")
    let bad = file("Sources/Supervisor/Model/A.swift", "// try?\nlet a = \"\\(try? b())\"")
    #expect(rule.violations(in: bad).map(\.description) == ["Sources/Supervisor/Model/A.swift:2: try ?: why"])
    #expect(rule.violations(in: file("Sources/A.swift", "// try?\nlet a = \"try?\"")).isEmpty)
  }

  @Test("tell a call from a method of the same name")
  func methodNames() {
    let rule = BannedWords(["kill", "("], "why", unlessAfter: [".", "func"])
    #expect(rule.violations(in: file("Sources/A.swift", "kill(pid, 9)")).count == 1)
    #expect(rule.violations(in: file("Sources/A.swift", "func kill() {}\nx.kill()")).isEmpty)
  }

  @Test("find an import, and a type, of a layer above")
  func layers() {
    let model = file(
      "Sources/Supervisor/Model/A.swift", "import CLinux\npackage struct A { let b: B; let c: C }")
    let system = file(
      "Sources/Supervisor/System/B.swift", "import Glibc\nfinal class B { let a: A; struct C {} }")
    #expect(
      LayerCheck([model, system]).violations().map(\.description) == [
        "Sources/Supervisor/Model/A.swift:1: Supervisor/Model may not import CLinux",
        "Sources/Supervisor/Model/A.swift:2: Supervisor/Model may not use B of Supervisor/System",
      ])
  }

  @Test("find a file that lies in no layer")
  func noLayer() {
    let stray = file("Sources/Supervisor/Stray.swift", "// x")
    #expect(LayerCheck([stray]).violations().count == 1)
  }
}
