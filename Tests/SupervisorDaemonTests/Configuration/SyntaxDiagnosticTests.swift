// Findings about files and TOML as such, as they are printed.

import SupervisorDaemon
import Testing

@Suite("Diagnostics of syntax and structure", .timeLimit(.minutes(5)))
struct SyntaxDiagnosticTests {
  @Test("name the place and mark it", arguments: cases)
  func golden(_ golden: Golden) throws {
    #expect(try findings(in: golden.text) == golden.findings)
  }

  static let cases = [
    Golden(
      "an unknown key with a near one",
      "[service.app]\ncomand = \"true\"\n",
      """
      c.toml:1:10: error: [service.app] has no 'command'; write command = ["PROGRAM", "ARGUMENT"]
      [service.app]
               ^~~
      c.toml:2:1: error: unknown key 'comand' in [service.app]; did you mean 'command'?
      comand = "true"
      ^~~~~~
      """),
    Golden(
      "an unknown key with none near", "[daemon]\n\tzzzzzzzz = 1 # x\n",
      "c.toml:2:2: error: unknown key 'zzzzzzzz' in [daemon]\n\tzzzzzzzz = 1 # x\n\t^~~~~~~~"),
    Golden(
      "an unknown table", "[sockets.web]\nlisten = \"80\"\n",
      "c.toml:1:2: error: unknown key 'sockets'; did you mean 'socket'?\n[sockets.web]\n ^~~~~~~"),
    Golden(
      "a value where a table is due", "service = 3\n",
      "c.toml:1:11: error: expected a table [service.NAME], found an integer\nservice = 3\n          ^"),
    Golden(
      "an array of tables", "[[service.app]]\ncommand = [\"true\"]\n",
      "c.toml:1:1: error: expected a table, found an array\n[[service.app]]\n^~~~~~~~~~~~~~~"),
    Golden("no value", "a = \n", "c.toml:1:5: error: expected value, saw '\\n'\na = \n    ^"),
    Golden(
      "an end in the middle", "[service.app",
      "c.toml:1:13: error: encountered end-of-file\n[service.app\n            ^"),
    Golden(
      "what the parser asserts", "a = 1\n\n[,]\nb = 2\n",
      "c.toml:3:1: error: this line is no TOML\n[,]\n^"),
    Golden(
      "an end behind the last line", "a = [\n", "c.toml:1:6: error: encountered end-of-file\na = [\n     ^"),
    Golden(
      "a key twice", "[daemon]\nlog_level = \"info\"\nlog_level = \"info\"\n",
      "c.toml:3:13: error: cannot redefine existing string 'log_level'\nlog_level = \"info\"\n            ^"),
    Golden(
      "a NUL byte", "# ü\n# ü\0\n",
      "c.toml:2:4: error: the file contains a NUL byte\n# ü\u{FFFD}\n   ^"),
    Golden(
      "an escaped NUL", "[daemon]\ncontrol = \"/a\\u0000b\"\n",
      "c.toml:2:11: error: the string contains a NUL byte\ncontrol = \"/a\\u0000b\"\n          ^~~~~~~~~~~"),
    Golden(
      "columns are characters", "[service.app]\ncommand = [\"täst\", 3]\n",
      "c.toml:2:20: error: expected a string, found an integer; write \"3\"\n"
        + "command = [\"täst\", 3]\n                   ^"),
    Golden(
      "a wrong value over several lines", "[service.app]\ncommand = [\"true\"]\nnice = [\n 1 ]\n",
      "c.toml:3:8: error: expected an integer, found an array\nnice = [\n       ^"),
  ]

  @Test("bytes that are no UTF-8 are pointed at")
  func notUTF8() throws {
    let folder = try ConfigurationFolder()
    try folder.write(Array("# é\nx = \"".utf8) + [0xff] + Array("\"\n".utf8), to: "c.toml")
    #expect(folder.findings() == "c.toml:2:6: error: the file is not UTF-8\nx = \"\u{FFFD}\"\n     ^")
  }

  @Test("nesting without end is an error, not a crash", arguments: deepTexts)
  func deepNesting(golden: Golden) throws {
    guard case .failure(let found) = try loaded(golden.text) else {
      Issue.record("it was accepted")
      return
    }
    #expect(found.map(\.message) == [golden.findings])
  }

  private static let tooNested =
    "exceeded maximum nested value depth of 32 (TOML_MAX_NESTED_VALUES)"
  private static let tooLong = "a dotted key has more than 32 parts"
  private static let deepTexts = [
    Golden("arrays", "a = " + String(repeating: "[", count: 10_000), tooNested),
    Golden("inline tables", "a = " + String(repeating: "{a=", count: 10_000), tooNested),
    Golden("a table", "[a" + String(repeating: ".a", count: 100_000) + "]\n", tooLong),
    Golden("a dotted key", "b" + String(repeating: ".\"a\"", count: 100_000) + " = 1\n", tooLong),
  ]

  @Test("dots in strings and comments are no nesting")
  func manyDots() throws {
    let dots = String(repeating: ".a", count: 1000)
    let text = """
      # \(dots)
      [service.app]
      command = ["a\\"\(dots)", '''\(dots)''', \"\"\"\\"\"\"\(dots)\"\"\"\"]
      """
    #expect(try service(text).command.count == 3)
  }

  @Test("a very long line is shown around the error")
  func longLine() throws {
    let long = String(repeating: "x", count: 5000)
    guard
      case .failure(let found) = try loaded(
        "[service.app]\ncommand = \"true\"\nafter = [\"\(long)\", 7] # \(long)\n")
    else {
      Issue.record("it was accepted")
      return
    }
    #expect(found.map(\.column) == [5014])
    for diagnostic in found {
      #expect(diagnostic.sourceLine.count <= 162)
      #expect((1...diagnostic.sourceLine.count).contains(diagnostic.caretColumn))
      #expect(diagnostic.caretColumn + diagnostic.caretLength <= diagnostic.sourceLine.count + 1)
    }
  }

  @Test("what a terminal would act upon is not printed")
  func controlCharacters() throws {
    let text = try findings(in: "a\u{1b}[31m = 1\n\"\\u001b\" = 1\n")
    #expect(text == "c.toml:1:2: error: expected '=', saw '\\u001B'\na\u{FFFD}[31m = 1\n ^")
    let key = try findings(in: "\"\\u001b\" = 1\n")
    #expect(key == "c.toml:1:1: error: unknown key '\\u001b'\n\"\\u001b\" = 1\n^~~~~~~~")
  }

  @Test("a flood of errors is cut off and counted")
  func flood() throws {
    let text = (1...5000).map { "xxxxxxxx\($0) = 1\n" }.joined()
    guard case .failure(let found) = try loaded(text) else {
      Issue.record("it was accepted")
      return
    }
    #expect(found.count == 101)
    #expect(found.last?.message == "too many errors; 4900 more are not shown")
  }

  private func loaded(_ text: String) throws -> ConfigurationResult {
    let folder = try ConfigurationFolder()
    try folder.write(text, to: "c.toml")
    return folder.load()
  }
}
