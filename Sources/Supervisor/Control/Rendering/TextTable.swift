// Columns that are aligned, and text that is safe to show.

/// Rows of cells, each column as wide as its widest cell.
package struct TextTable {
  private var rows: [[Cell]] = []
  private let indentation: String

  package init(indentation: Int = 0) { self.indentation = String(repeating: " ", count: indentation) }

  /// A cell: its text, and how it is coloured, which takes no width.
  package struct Cell: ExpressibleByStringLiteral {
    var text: String
    var paint: (String) -> String

    /// Control characters are made visible.
    package init(_ text: String, paint: @escaping (String) -> String = { $0 }) {
      self.text = ProcessTable.printable(text)
      self.paint = paint
    }

    package init(stringLiteral text: String) { self.init(text) }
  }

  package mutating func append(_ cells: [Cell]) { rows.append(cells) }

  /// One line a row, without spaces at the end.
  package var lines: [String] {
    let widths = self.widths
    return rows.map { row in
      var line = indentation
      for (column, cell) in row.enumerated() {
        line += cell.paint(cell.text)
        if row[(column + 1)...].contains(where: { !$0.text.isEmpty }) {
          line += String(repeating: " ", count: widths[column] - cell.text.count + 2)
        } else {
          break
        }
      }
      return line
    }
  }

  private var widths: [Int] {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.text.count)
      }
    }
    return widths
  }
}

package enum Text {
  /// The longest command that is shown in a column, in characters.
  package static let longestCommand = 48

  /// At most `limit` characters; "…" stands for the rest.
  package static func shortened(_ text: String, to limit: Int = longestCommand) -> String {
    text.count <= limit ? text : text.prefix(limit - 1) + "…"
  }

  /// A command line; one that is too long loses its program's folder first: "…/server --port 80".
  package static func shortenedCommand(_ command: String, to limit: Int = longestCommand) -> String {
    guard command.count > limit else { return command }
    let program = command.prefix { $0 != " " }
    guard let slash = program.lastIndex(of: "/"), slash != program.startIndex else {
      return shortened(command, to: limit)
    }
    return shortened("…" + command[slash...], to: limit)
  }

  /// Control characters made visible, except the tab.
  package static func line(_ text: String) -> String {
    guard text.utf8.contains(9) else { return ProcessTable.printable(text) }
    return text.split(separator: "\t", omittingEmptySubsequences: false)
      .map { ProcessTable.printable(String($0)) }.joined(separator: "\t")
  }

  /// Seconds as a person would say them: "12 s", "3 m 20 s".
  package static func age(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds > 0 else { return "0 s" }
    if seconds < 60 { return "\(Int(seconds)) s" }
    return Duration.seconds(Int64(min(seconds, 1e12))).text
  }

  /// Milliseconds as a person would say them: "8 ms", "1.2 s".
  package static func duration(milliseconds: Double) -> String {
    guard milliseconds.isFinite, milliseconds > 0 else { return "0 ms" }
    return Duration.microseconds(Int64(min(milliseconds, 1e12) * 1000)).text
  }

  /// Bytes as a person would say them: "512 B", "43.1 MiB".
  package static func size(_ bytes: Int) -> String {
    var tenths = bytes * 10
    if bytes < 1024 { return "\(bytes) B" }
    for unit in ["KiB", "MiB", "GiB"] {
      tenths /= 1024
      if tenths < 10240 || unit == "GiB" { return "\(tenths / 10).\(tenths % 10) \(unit)" }
    }
    return "\(bytes) B"
  }

  /// "1 connection", "3 connections".
  package static func counted(_ count: Int, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }
}
