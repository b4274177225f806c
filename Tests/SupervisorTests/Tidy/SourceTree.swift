// The sources of this project as text, found from the place of this file.

import FoundationEssentials

/// One file of Sources/ or Tests/.
struct SourceFile: Sendable {
  /// From the root of the project: "Sources/Supervisor/Model/Instant.swift".
  var path: String
  var lines: [Substring]
  /// Empty for what is not Swift.
  var tokens: [SwiftToken]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    tokens = path.hasSuffix(".swift") ? SwiftLexer.tokens(of: text) : []
  }

  /// Target and folder, "Supervisor/Model"; the target alone for a file that lies in no folder.
  var folder: String {
    path.split(separator: "/").dropFirst().dropLast().prefix(2).joined(separator: "/")
  }
}

enum SourceTree {
  static let sources = files(below: "Sources")
  static let tests = files(below: "Tests")

  private static let suffixes = [".swift", ".c", ".h", ".cpp"]

  private static func files(below top: String, here: String = #filePath) -> [SourceFile] {
    let root = here.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
    do {
      return try FileManager.default.subpathsOfDirectory(atPath: "\(root)/\(top)").sorted()
        .filter { path in suffixes.contains { path.hasSuffix($0) } }
        .map { path in
          let text = try String(contentsOfFile: "\(root)/\(top)/\(path)", encoding: .utf8)
          return SourceFile(path: "\(top)/\(path)", text: text)
        }
    } catch {
      return []  // a test says so: there have to be files
    }
  }
}
