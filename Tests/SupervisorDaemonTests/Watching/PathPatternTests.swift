// Patterns as gitignore(5) describes them, with its own examples.

import SupervisorDaemon
import Testing

/// A path as names; "/" at its end makes it a folder.
func names(_ path: String) -> [[UInt8]] { path.split(separator: "/").map { Array($0.utf8) } }

@Suite("A pattern")
struct PathPatternTests {
  private func matches(_ pattern: String, _ path: String) -> Bool {
    PathPattern(line: pattern.utf8)?.matches(names(path)[...], isFolder: path.hasSuffix("/")) ?? false
  }

  struct Case: CustomTestStringConvertible {
    var pattern: String
    var matching: [String]
    var others: [String]
    var testDescription: String { pattern }

    init(_ pattern: String, _ matching: [String], not others: [String] = []) {
      self.pattern = pattern
      self.matching = matching
      self.others = others
    }
  }

  /// From the text and the examples of gitignore(5), and from wildmatch's tests (t3070).
  private static let cases = [
    Case("hello.*", ["hello.txt", "a/hello.java", "hello."], not: ["hello", "a/ahello.c"]),
    Case("/hello.*", ["hello.txt"], not: ["a/hello.java"]),
    Case("foo/", ["foo/", "a/foo/"], not: ["foo", "foo.c/"]),
    Case("doc/frotz", ["doc/frotz", "doc/frotz/"], not: ["a/doc/frotz"]),
    Case("/doc/frotz", ["doc/frotz"], not: ["a/doc/frotz"]),
    Case("doc/frotz/", ["doc/frotz/"], not: ["a/doc/frotz/", "doc/frotz"]),
    Case("frotz/", ["frotz/", "a/frotz/"], not: ["frotz"]),
    Case("foo/*", ["foo/test.json", "foo/bar/"], not: ["foo/bar/hello.c", "foo/"]),
    Case("**/foo", ["foo", "a/foo", "a/b/foo/"], not: ["a/foo/b"]),
    Case("**/foo/bar", ["foo/bar", "a/foo/bar"], not: ["foo/a/bar"]),
    Case("abc/**", ["abc/a", "abc/a/b/c"], not: ["abc/", "abc", "a/abc/b"]),
    Case("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], not: ["a/xb", "ab", "x/a/b"]),
    Case("foo**bar", ["foobar", "foo.bar", "a/foo-bar"], not: ["foo/bar"]),
    Case("**", ["a", "a/b", "a/b/"]),
    Case("*", ["a", "a/b"]),
    Case("*.[oa]", ["x.o", "x.a", "d/x.o"], not: ["x.c", "x.oa"]),
    Case("[a-c]?", ["ax", "c1"], not: ["a", "dx", "axx"]),
    Case("[!a]b", ["cb"], not: ["ab", "b"]),
    Case("[^a-c]", ["d"], not: ["a", "b"]),
    Case("[]-]", ["]", "-"], not: ["a"]),
    Case("[[:digit:]][[:upper:]x]", ["1A", "2x"], not: ["AA", "1b"]),
    Case("[\\]]", ["]"], not: ["\\"]),
    Case("[a", [], not: ["[a", "a"]),
    Case("a\\", [], not: ["a", "a\\"]),
    Case("\\*", ["*"], not: ["a"]),
    Case("\\#x", ["#x"]),
    Case("\\!x", ["!x"]),
    Case("# x", [], not: ["# x", "x"]),
    Case("", [], not: ["a"]),
    Case("/", [], not: ["a", "a/"]),
    Case("a  ", ["a"], not: ["a  "]),
    Case("a\\ ", ["a "], not: ["a"]),
    Case("a\r", ["a"]),
    Case("a{b,c}", ["a{b,c}"], not: ["ab"]),
    Case("?.py", ["ä.py", "a.py"], not: ["ab.py"]),
    Case("[ä-ö].py", ["é.py"], not: ["z.py"]),
    Case("a*b*c*d", ["abcd", "axxbxxcxxd"], not: ["acbd", "abcdx"]),
    Case("*a*a*a*a*a*a*a*a*a*b", [], not: [String(repeating: "a", count: 60)]),
    Case(".*", [".a"], not: ["a"]),
  ]

  @Test("matches what gitignore(5) says, and nothing else", arguments: cases)
  func matching(_ example: Case) {
    for path in example.matching { #expect(matches(example.pattern, path), "\(path)") }
    for path in example.others { #expect(!matches(example.pattern, path), "\(path)") }
  }

  @Test(
    "of the configuration has braces",
    arguments: [
      ("*.{py,html}", ["a.py", "d/a.html"], ["a.c", "a.{py,html}"]),
      ("src/{a,b/{c,d}}/x", ["src/a/x", "src/b/c/x", "src/b/d/x"], ["src/b/x"]),
      ("{a}", ["{a}"], ["a"]), ("a\\{b,c}", ["a{b,c}"], ["ab"]), ("{,x}y", ["y", "xy"], ["x"]),
    ])
  func braces(_ pattern: String, _ matching: [String], _ others: [String]) {
    let patterns = PathPattern.all(pattern)
    for path in matching {
      #expect(patterns.contains { $0.matches(names(path)[...], isFolder: false) }, "\(path)")
    }
    for path in others {
      #expect(!patterns.contains { $0.matches(names(path)[...], isFolder: false) }, "\(path)")
    }
  }

  @Test("does not multiply without end")
  func manyBraces() {
    #expect(PathPattern.all(String(repeating: "{a,b}", count: 30)).count < 1000)
  }
}
