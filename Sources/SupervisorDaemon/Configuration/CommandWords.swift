// A command that is written as one string, split into words as a POSIX shell would, but nothing is expanded.

import Supervisor

/// Why a string is no command, and which code points of it are to blame.
struct CommandError: Error {
  let message: String
  let offset: Int
  let length: Int
}

/// Splits by the rules of "Quoting", POSIX.1-2017 Shell Command Language 2.2.
struct CommandWords {
  private let scalars: [Unicode.Scalar]
  private var at = 0
  private var word = ""
  /// True from the first character or quote of a word on: '' is a word, too.
  private var inWord = false
  private var wordStart = 0
  private var words: [Located] = []

  /// A word and the code points it was written with.
  struct Located {
    let text: String
    let offset: Int
    let length: Int
  }

  static func split(_ text: String) throws(CommandError) -> [Located] {
    var splitter = CommandWords(text)
    return try splitter.run()
  }

  private init(_ text: String) { scalars = Array(text.unicodeScalars) }

  private mutating func run() throws(CommandError) -> [Located] {
    while at < scalars.count {
      let scalar = scalars[at]
      switch scalar {
      case " ", "\t", "\n", "\r": endWord()
      case "'": try singleQuoted()
      case "\"": try doubleQuoted()
      case "\\": try escapedScalar()
      case "|", "&", ";", "<", ">", "(", ")", "$", "`", "*": throw meansSomething(scalar)
      case "#" where !inWord, "~" where !inWord: throw meansSomething(scalar)
      default: append(scalar)
      }
      at += 1
    }
    endWord()
    return words
  }

  private mutating func beginWord() {
    if !inWord { wordStart = at }
    inWord = true
  }

  private mutating func append(_ scalar: Unicode.Scalar) {
    beginWord()
    word.unicodeScalars.append(scalar)
  }

  private mutating func endWord() {
    if inWord { words.append(Located(text: word, offset: wordStart, length: at - wordStart)) }
    word = ""
    inWord = false
  }

  private mutating func singleQuoted() throws(CommandError) {
    beginWord()
    let opening = at
    at += 1
    while at < scalars.count, scalars[at] != "'" {
      append(scalars[at])
      at += 1
    }
    if at == scalars.count { throw unbalanced(opening) }
  }

  private mutating func doubleQuoted() throws(CommandError) {
    beginWord()
    let opening = at
    at += 1
    while at < scalars.count, scalars[at] != "\"" {
      let scalar = scalars[at]
      if scalar == "$" || scalar == "`" { throw meansSomething(scalar) }
      // Within double quotes a backslash stays, unless it precedes one of these.
      if scalar == "\\", at + 1 < scalars.count, ["$", "`", "\"", "\\", "\n"].contains(scalars[at + 1]) {
        at += 1
        if scalars[at] == "\n" {
          at += 1
          continue
        }
      }
      append(scalars[at])
      at += 1
    }
    if at == scalars.count { throw unbalanced(opening) }
  }

  private mutating func escapedScalar() throws(CommandError) {
    if at + 1 == scalars.count {
      throw CommandError(message: "the command ends with a backslash", offset: at, length: 1)
    }
    let isContinuation = scalars[at + 1] == "\n"
    if !isContinuation { beginWord() }
    at += 1
    if !isContinuation { append(scalars[at]) }
  }

  private func unbalanced(_ offset: Int) -> CommandError {
    CommandError(message: "the quote is not closed", offset: offset, length: 1)
  }

  private func meansSomething(_ scalar: Unicode.Scalar) -> CommandError {
    CommandError(
      message: "a shell would interpret '\(scalar)', but the command is run without one; "
        + "put it in single quotes, or write [\"sh\", \"-c\", \"…\"]",
      offset: at, length: 1)
  }
}
