// Patterns in their order, of which the last that matches decides: a .gitignore file, or a key. Pure.

/// What a list says of a path.
package enum PatternVerdict: Hashable, Sendable { case matched, takenBack }

package struct PatternList: Hashable, Sendable {
  private var patterns: [PathPattern]

  package init(_ patterns: [PathPattern]) { self.patterns = patterns }

  /// The text of a .gitignore file.
  package init(gitignore text: [UInt8]) {
    // A byte order mark, as some editors write one, is no part of the first pattern.
    let lines = text.starts(with: [0xef, 0xbb, 0xbf]) ? text.dropFirst(3) : text[...]
    patterns = lines.split(separator: UInt8(ascii: "\n")).compactMap { PathPattern(line: $0) }
  }

  package var isEmpty: Bool { patterns.isEmpty }

  /// nil when no pattern is about the path.
  package func verdict(_ path: ArraySlice<[UInt8]>, isFolder: Bool) -> PatternVerdict? {
    patterns.last { $0.matches(path, isFolder: isFolder) }.map { $0.isNegated ? .takenBack : .matched }
  }

  /// Whether something below the folder could be matched.
  package func mayMatch(below folder: ArraySlice<[UInt8]>) -> Bool {
    patterns.contains { !$0.isNegated && $0.mayMatch(below: folder) }
  }
}
