// The part of docs/states.md that is printed from what the machines were seen to do.

import Glibc

/// The diagram and the table of docs/states.md, and the file that holds them between two marks.
struct StatesDocument {
  let table: TransitionTable

  private static let begin = "<!-- begin: printed by StatesDocumentTests, not by hand -->\n"
  private static let end = "<!-- end -->"

  /// - Parameter document: the whole file; nil is returned when it has no marks.
  func inserted(into document: String) -> String? {
    let parts = document.split(separator: Self.begin, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let end = parts[1].firstRange(of: Self.end) else { return nil }
    return parts[0] + Self.begin + text + parts[1][end.lowerBound...]
  }

  private var text: String { diagram + "\n" + rows }

  private var diagram: String {
    let edges = Phase.allCases.flatMap { from in
      Phase.allCases.compactMap { to in
        let facts = facts(from: from, to: to)
        return facts.isEmpty ? nil : "  \(from) --> \(to): \(facts.joined(separator: "<br/>"))\n"
      }
    }
    return "```mermaid\nstateDiagram-v2\n  [*] --> stopped\n" + edges.joined() + "```\n"
  }

  private var rows: String {
    let rows = Phase.allCases.flatMap { from in
      Phase.allCases.flatMap { to in
        facts(from: from, to: to).map { "| \(from) | \($0) | \(to) |\n" }
      }
    }
    return "| in | told | goes to |\n|---|---|---|\n" + rows.joined()
  }

  private func facts(from: Phase, to: Phase) -> [String] {
    table.seen.filter { $0.from == from && $0.to == to }.map(\.event).sorted()
  }
}

/// The file, read and written as a whole.
enum StatesFile {
  static func path(besides source: String = #filePath) -> String {
    let folder = source.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    return folder.joined(separator: "/") + "/docs/states.md"
  }

  /// nil when it can't be read.
  static func read(_ path: String) -> String? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer.prefix(count)
    }
  }

  static func write(_ text: String, to path: String) -> Bool {
    guard let file = fopen(path, "we") else { return false }
    let bytes = Array(text.utf8)
    let written = fwrite(bytes, 1, bytes.count, file)
    return fclose(file) == 0 && written == bytes.count
  }
}
