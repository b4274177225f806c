// One line of a .gitignore file, gitignore(5), or one pattern of `watch`. Pure.

/// A path relative to some folder, name by name, as bytes.
package typealias PathNames = [[UInt8]]

/// A pattern for paths below a folder.
package struct PathPattern: Hashable, Sendable {
  private enum Step: Hashable {
    /// "**": any number of folders.
    case anyFolders
    case name(NamePattern)
  }

  /// "!": what it matches is taken back.
  package let isNegated: Bool
  /// "/" at its end.
  private let isForFolders: Bool
  /// There is a slash that is not its end: it is about the whole path, else about the last name.
  private let isAnchored: Bool
  private let steps: [Step]

  /// nil for what matches nothing: an empty line, a comment, a bracket without its partner.
  package init?(line: some Collection<UInt8>) {
    var text = Self.withoutTrailingSpaces(Array(line)[...])
    if text.first == UInt8(ascii: "#") { return nil }
    isNegated = text.first == UInt8(ascii: "!")
    if isNegated { text.removeFirst() }
    isForFolders = text.last == UInt8(ascii: "/")
    if isForFolders { text.removeLast() }
    if text.isEmpty { return nil }
    isAnchored = text.contains(UInt8(ascii: "/"))
    var steps: [Step] = []
    for name in text.split(separator: UInt8(ascii: "/")) {
      if isAnchored, name.elementsEqual("**".utf8) {
        if steps.last != .anyFolders { steps.append(.anyFolders) }
      } else if let pattern = NamePattern(name) {
        steps.append(.name(pattern))
      } else {
        return nil
      }
    }
    if steps.isEmpty { return nil }
    self.steps = steps
  }

  /// A pattern of the configuration, where `{a,b}` stands for two.
  package static func all(_ text: String) -> [PathPattern] {
    Braces.expand(Array(text.utf8)).compactMap { PathPattern(line: $0) }
  }

  package func matches(_ path: ArraySlice<[UInt8]>, isFolder: Bool) -> Bool {
    guard isFolder || !isForFolders, let last = path.last else { return false }
    if !isAnchored, case .name(let pattern)? = steps.first { return pattern.matches(last) }
    return matches(path, steps[...])
  }

  private func matches(_ path: ArraySlice<[UInt8]>, _ steps: ArraySlice<Step>) -> Bool {
    switch steps.first {
    case nil: return path.isEmpty
    case .name(let pattern)?:
      guard let name = path.first, pattern.matches(name) else { return false }
      return matches(path.dropFirst(), steps.dropFirst())
    case .anyFolders?:
      // At the end it is everything inside, but not the folder itself.
      if steps.count == 1 { return !path.isEmpty }
      return path.indices.contains { matches(path[$0...], steps.dropFirst()) }
    }
  }

  /// Whether something below the folder could match.
  package func mayMatch(below folder: ArraySlice<[UInt8]>) -> Bool {
    guard isAnchored else { return true }
    var steps = steps[...]
    for name in folder {
      guard case .name(let pattern)? = steps.popFirst() else { return true }
      if !pattern.matches(name) { return false }
    }
    return !steps.isEmpty
  }

  /// gitignore(5): trailing spaces are ignored unless they are quoted with a backslash.
  private static func withoutTrailingSpaces(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var line = line
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    while line.last == UInt8(ascii: " ") {
      let quotes = line.dropLast().reversed().prefix { $0 == UInt8(ascii: "\\") }.count
      if quotes % 2 == 1 { break }
      line.removeLast()
    }
    return line
  }
}

/// `{a,b}` in patterns of the configuration; .gitignore files don't have it.
enum Braces {
  /// So many patterns may come of one.
  private static let limit = 256

  static func expand(_ text: [UInt8]) -> [[UInt8]] {
    var done: [[UInt8]] = []
    var work = [text]
    while let next = work.popLast() {
      guard done.count + work.count < limit, let (before, choices, after) = split(next) else {
        done.append(next)
        continue
      }
      work += choices.reversed().map { before + $0 + after }
    }
    return done
  }

  /// The first pair of braces with a comma between them; nil when there is none.
  private static func split(_ text: [UInt8]) -> ([UInt8], [[UInt8]], [UInt8])? {
    for start in text.indices where text[start] == UInt8(ascii: "{") && !isQuoted(text, start) {
      var depth = 0
      var choices: [[UInt8]] = [[]]
      for index in start..<text.count {
        let byte = text[index]
        let isPlain = isQuoted(text, index)
        if byte == UInt8(ascii: "{"), !isPlain { depth += 1 }
        if byte == UInt8(ascii: "}"), !isPlain { depth -= 1 }
        if depth == 0 {
          guard choices.count > 1 else { break }
          return (Array(text[..<start]), choices, Array(text[(index + 1)...]))
        }
        if byte == UInt8(ascii: ","), depth == 1, !isPlain {
          choices.append([])
        } else if index > start {
          choices[choices.count - 1].append(byte)
        }
      }
    }
    return nil
  }

  private static func isQuoted(_ text: [UInt8], _ index: Int) -> Bool {
    text[..<index].reversed().prefix { $0 == UInt8(ascii: "\\") }.count % 2 == 1
  }
}
