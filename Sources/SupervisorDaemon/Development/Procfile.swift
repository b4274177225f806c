// A Procfile: one process a line, as foreman(1) and its kin have it. Pure: it reads no file.

import Supervisor

/// The processes that a Procfile names.
package enum Procfile {
  /// One line: "web: flask run".
  package struct Process: Hashable, Sendable {
    package var name: String
    /// For /bin/sh -c.
    package var command: String
    /// From 1.
    package var line: Int

    package init(name: String, command: String, line: Int) {
      (self.name, self.command, self.line) = (name, command, line)
    }

    /// What is executed: the line is a shell's, with its pipes and variables.
    package var words: [String] { ["/bin/sh", "-c", command] }
  }

  /// Everything that is wrong, a line for each.
  package struct Failure: Error, Hashable, CustomStringConvertible {
    package var description: String
  }

  /// In the order of the file; `path` is for messages.
  package static func parse(_ text: String, path: String) -> Result<[Process], Failure> {
    var reader = ProcfileReader(path: path)
    // "\r\n" is one Character.
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      reader.take(index == 0 && line.first == "\u{FEFF}" ? line.dropFirst() : line, number: index + 1)
    }
    if reader.problems.isEmpty, reader.processes.isEmpty {
      reader.problems = ["\(path): error: it names no process; a line is as \"web: flask run\""]
    }
    guard reader.problems.isEmpty else {
      return .failure(Failure(description: reader.problems.joined(separator: "\n")))
    }
    return .success(reader.processes)
  }
}

private struct ProcfileReader {
  let path: String
  var processes: [Procfile.Process] = []
  var problems: [String] = []

  mutating func take(_ line: Substring, number: Int) {
    let line = String(line).withoutBlanksAround
    if line.isEmpty || line.hasPrefix("#") { return }
    guard let colon = line.firstIndex(of: ":") else {
      return complain("expected \"name: command\", found \(quoted(line))", number)
    }
    let name = String(line[..<colon]).withoutBlanksAround
    let command = String(line[line.index(after: colon)...]).withoutBlanksAround
    if let problem = DefinitionName.problem(with: name) {
      complain("the name \(quoted(name)) can't be one: \(problem)", number)
    } else if command.isEmpty {
      complain("\(quoted(name)) has no command behind its colon", number)
    } else if let first = processes.first(where: { $0.name == name }) {
      complain("\(quoted(name)) is there twice, first in line \(first.line)", number)
    } else {
      processes.append(.init(name: name, command: command, line: number))
    }
  }

  private mutating func complain(_ message: String, _ line: Int) {
    problems.append("\(path):\(line): error: \(message)")
  }
}

extension String {
  fileprivate var withoutBlanksAround: String {
    let isBlank = { (character: Character) in character == " " || character == "\t" }
    guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) })
    else {
      return ""
    }
    return String(self[first...last])
  }
}
