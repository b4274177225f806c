// A command that is written as one string.

import SupervisorDaemon
import Testing

@Suite("A command as one string", .timeLimit(.minutes(5)))
struct CommandTests {
  @Test(
    "is split as a shell would split it",
    arguments: [
      ("flask run", ["flask", "run"]), ("  a\tb\n c ", ["a", "b", "c"]),
      ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
      ("a'b'\"c\"d", ["abcd"]), ("a '' \"\"", ["a", "", ""]), ("a\\ b \\'", ["a b", "'"]),
      ("a '\\n $x|' \"\\\\ \\\" \\$ \\x\"", ["a", "\\n $x|", "\\ \" $ \\x"]), ("a \\\n b", ["a", "b"]),
      ("a \"b\\\nc\"", ["a", "bc"]), ("a b#c d~e x=y ?[1]", ["a", "b#c", "d~e", "x=y", "?[1]"]),
      ("über 'ß ß'", ["über", "ß ß"]),
    ])
  func words(text: String, words: [String]) throws {
    #expect(try service("[service.app]\ncommand = \(toml(text))\n").command == words)
  }

  private func toml(_ text: String) -> String { "'''" + "\n" + text + "'''" }

  @Test("that only a shell would understand is refused", arguments: cases)
  func refused(_ golden: Golden) throws {
    #expect(try findings(in: golden.text) == golden.findings)
  }

  private static let cases = [
    shell("a | b", "|", at: 2), shell("a >b", ">", at: 2), shell("a&", "&", at: 1),
    shell("ab; c", ";", at: 2),
    shell("a $HOME", "$", at: 2), shell("a `b`", "`", at: 2), shell("ls *", "*", at: 3),
    shell("ls ~/x", "~", at: 3),
    shell("a # b", "#", at: 2), shell("(a)", "(", at: 0),
    command("a 'b", "the quote is not closed", at: 2),
    command("a \\", "the command ends with a backslash", at: 2),
    command(
      "X=1 a",
      "the command starts with 'X=1', which only a shell takes for a variable; write it in 'environment'",
      at: 0, mark: 3),
    Golden(
      "in double quotes", "[service.a]\ncommand = \"a \\\"$b\\\"\"\n",
      "c.toml:2:11: error: \(means("$"))\ncommand = \"a \\\"$b\\\"\"\n          ^~~~~~~~~~"),
    Golden("nothing", "[service.a]\ncommand = \" \"\n", empty + "\ncommand = \" \"\n          ^~~"),
    Golden("an empty array", "[service.a]\ncommand = []\n", empty + "\ncommand = []\n          ^~"),
    Golden(
      "an empty program", "[service.a]\ncommand = \"''\"\n",
      "c.toml:2:12: error: the command is empty\ncommand = \"''\"\n           ^~"),
    Golden(
      "a table", "[service.a]\ncommand = {}\n",
      "c.toml:2:11: error: expected an array of strings, or a string, found a table\ncommand = {}\n          ^~"
    ),
  ]

  private static let empty = "c.toml:2:11: error: the command is empty"

  private static func means(_ character: String) -> String {
    "a shell would interpret '\(character)', but the command is run without one; "
      + "put it in single quotes, or write [\"sh\", \"-c\", \"…\"]"
  }

  private static func shell(_ text: String, _ character: String, at offset: Int) -> Golden {
    command(text, means(character), at: offset)
  }

  /// The string is written without escapes, so the finding points into it.
  private static func command(_ text: String, _ finding: String, at offset: Int, mark: Int = 1) -> Golden {
    let quote = text.contains("'") ? "\"" : "'"
    let escapes = text.contains("\\")
    let line = "command = " + (escapes ? "'" : quote) + text + (escapes ? "'" : quote)
    return Golden(
      text, "[service.a]\n\(line)\n",
      "c.toml:2:\(12 + offset): error: \(finding)\n\(line)\n"
        + String(repeating: " ", count: 11 + offset) + "^" + String(repeating: "~", count: mark - 1))
  }
}
