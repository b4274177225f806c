// Our own rules, as far as a program can decide them. What breaks one is named with file and line.

import Testing

/// One place where a rule is broken.
struct Violation: CustomStringConvertible {
  var description: String
  init(_ file: SourceFile, line: Int, _ what: String) { description = "\(file.path):\(line): \(what)" }
}

/// Words and punctuation that are not written, and why.
struct BannedWords {
  var words: [String]
  var reason: String
  /// What may stand before the first word and make it harmless.
  var unlessAfter: Set<String> = []

  init(_ words: [String], _ reason: String, unlessAfter: Set<String> = []) {
    self.words = words
    self.reason = reason
    self.unlessAfter = unlessAfter
  }

  func violations(in file: SourceFile) -> [Violation] {
    let tokens = file.tokens
    return tokens.indices.compactMap { index in
      guard tokens[index...].prefix(words.count).map(\.text).elementsEqual(words) else { return nil }
      if index > 0, unlessAfter.contains(tokens[index - 1].text) { return nil }
      return Violation(file, line: tokens[index].line, "\(words.joined(separator: " ")): \(reason)")
    }
  }
}

private let bannedEverywhere = [
  BannedWords(["try", "?"], "an error is handled or passed on"),
  BannedWords(["try", "!"], "an error is handled or passed on"),
  BannedWords(["import", "Foundation"], "it carries ICU; FoundationEssentials has JSON"),
  BannedWords(["nonisolated", "(", "unsafe"], "one thread needs no exemption"),
  BannedWords(["@", "unchecked"], "one thread needs no exemption"),
  BannedWords(["sleep", "("], "wait for the event", unlessAfter: [".", "func"]),
  BannedWords(["usleep", "("], "wait for the event", unlessAfter: [".", "func"]),
  BannedWords(["nanosleep", "("], "wait for the event", unlessAfter: [".", "func"]),
]

private let bannedInSources =
  bannedEverywhere + [
    BannedWords(["Task", "{"], "everything runs on one thread"),
    BannedWords(["Task", "("], "everything runs on one thread"),
    BannedWords(["Task", "."], "everything runs on one thread"),
    BannedWords(["Task", "<"], "everything runs on one thread"),
    BannedWords(["async"], "everything runs on one thread"),
    BannedWords(["await"], "everything runs on one thread"),
    BannedWords(["DispatchQueue"], "everything runs on one thread"),
    BannedWords(["fatalError", "("], "a supervisor does not die of its own assertion"),
    BannedWords(["kill", "("], "signal through a checked pidfd", unlessAfter: [".", "func"]),
    BannedWords(["Glibc", ".", "kill"], "signal through a checked pidfd"),
    BannedWords(["public"], "this is a program, not a library: use package"),
  ]

private let bannedInTests =
  bannedEverywhere + [BannedWords(["@", "testable"], "what a test needs is package")]

@Suite("The sources", .timeLimit(.minutes(5)))
struct TidyTests {
  private let everything = SourceTree.sources + SourceTree.tests

  private func expectNone(_ violations: [Violation], _ location: SourceLocation = #_sourceLocation) {
    for violation in violations { Issue.record("\(violation)", sourceLocation: location) }
  }

  @Test("are found")
  func found() {
    #expect(SourceTree.sources.contains { $0.path == "Sources/Supervisor/Model/SocketAddress.swift" })
    #expect(SourceTree.tests.contains { $0.path == "Tests/SupervisorTests/Tidy/TidyTests.swift" })
  }

  @Test("have none of the words that are not written")
  func words() {
    expectNone(SourceTree.sources.flatMap { file in bannedInSources.flatMap { $0.violations(in: file) } })
    expectNone(SourceTree.tests.flatMap { file in bannedInTests.flatMap { $0.violations(in: file) } })
  }

  @Test("keep to the layers")
  func layers() {
    expectNone(LayerCheck(SourceTree.sources).violations())
  }

  @Test("call no type a manager, helper, util, handler, data or info")
  func names() {
    let kinds: Set<String> = ["class", "struct", "enum", "protocol", "actor"]
    let endings = ["Manager", "Helper", "Helpers", "Util", "Utils", "Handler", "Data", "Info"]
    for file in SourceTree.sources {
      for (kind, name) in zip(file.tokens, file.tokens.dropFirst()) where kinds.contains(kind.text) {
        if let ending = endings.first(where: { name.text.hasSuffix($0) }) {
          expectNone([Violation(file, line: name.line, "\(name.text): \(ending) says nothing")])
        }
      }
    }
  }

  @Test("say at their beginning what they are responsible for")
  func beginnings() {
    expectNone(
      SourceTree.sources.filter { file in !["//", "/*"].contains { file.lines.first?.hasPrefix($0) ?? false }
      }
      .map { Violation($0, line: 1, "it does not begin with a comment") })
  }

  @Test("have at most 400 lines a file")
  func lengths() {
    expectNone(
      everything.filter { $0.lines.count > 401 }  // the last line ends with a newline
        .map {
          Violation($0, line: 401, "the file has \($0.lines.count - 1) lines: which concept is missing?")
        })
  }

  @Test("have at most 120 columns a line")
  func columns() {
    // Tests may quote what is wider: golden texts, and the tables of /proc.
    for file in SourceTree.sources {
      for (index, line) in file.lines.enumerated() where line.count > 120 {
        expectNone([Violation(file, line: index + 1, "the line has \(line.count) columns")])
      }
    }
  }

  @Test("leave nothing to do", arguments: ["TO" + "DO", "FIX" + "ME"])
  func reminders(_ word: String) {
    for file in everything {
      for (index, line) in file.lines.enumerated() where line.contains(word) {
        expectNone([Violation(file, line: index + 1, word)])
      }
    }
  }
}
