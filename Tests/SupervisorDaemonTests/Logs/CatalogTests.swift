// The kinds of log entries and the journal's catalog, held together.

import FoundationEssentials
import Glibc
import Supervisor
import Testing

@Suite("The catalog of the journal", .timeLimit(.minutes(5)))
struct CatalogTests {
  private static let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
  private let text: String

  init() throws {
    text = try String(contentsOfFile: Self.root + "/units/fdsupervisord.catalog", encoding: .utf8)
  }

  /// By identifier: header lines and explanation.
  private var entries: [(id: String, lines: [Substring])] {
    text.split(separator: "\n-- ").dropFirst().map { entry in
      let lines = entry.split(separator: "\n", omittingEmptySubsequences: false)
      return (String(lines[0]), Array(lines.dropFirst()))
    }
  }

  @Test("explains each kind of entry, and nothing else")
  func complete() {
    #expect(Set(entries.map(\.id)) == Set(EventKind.allCases.map(\.messageID)))
    #expect(entries.count == EventKind.allCases.count)
  }

  @Test("the identifiers differ, and are 32 lower-case hexadecimal digits", arguments: EventKind.allCases)
  func identifiers(_ kind: EventKind) {
    #expect(kind.messageID.count == 32)
    #expect(kind.messageID.allSatisfy { $0.isHexDigit && !$0.isUppercase })
    #expect(EventKind.allCases.filter { $0.messageID == kind.messageID } == [kind])
  }

  @Test("each explanation has a subject, says whose it is, and has a text; fields are those that are logged")
  func explanations() {
    for (id, lines) in entries {
      #expect(lines.contains { $0.hasPrefix("Subject: ") }, "\(id)")
      #expect(lines.contains("Defined-By: fdsupervisord"), "\(id)")
      let body = lines.drop { !$0.isEmpty }.filter { !$0.isEmpty }
      #expect(!body.isEmpty, "\(id)")
      let fields = lines.joined(separator: "\n").split(separator: "@", omittingEmptySubsequences: false)
      for field in fields.enumerated().filter({ $0.offset % 2 == 1 }).map(\.element) {
        #expect(["SERVICE", "GENERATION", "PID"].contains(field), "\(id)")
      }
    }
  }

  @Test("journalctl compiles it and finds each entry")
  func compiles() throws {
    let folder = try TestFolder()
    let place = folder.path + "/usr/lib/systemd/catalog"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    try FileManager.default.createDirectory(
      atPath: folder.path + "/var/lib/systemd/catalog", withIntermediateDirectories: true)
    try text.write(toFile: place + "/fdsupervisord.catalog", atomically: false, encoding: .utf8)
    let update = try journalctl(["--update-catalog", "--root=\(folder.path)"], folder)
    if update.status == 127 { try Test.cancel("there is no journalctl here") }
    #expect(update.status == 0 && update.output.isEmpty, "\(update.output)")
    let list = try journalctl(["--list-catalog", "--root=\(folder.path)"], folder)
    for kind in EventKind.allCases { #expect(list.output.contains(kind.messageID)) }
  }

  private func journalctl(
    _ arguments: [String], _ folder: TestFolder
  ) throws -> (status: Int32, output: String) {
    let file = folder.path + "/output"
    unlink(file)
    let process = try Spawned(
      "/usr/bin/env", ["journalctl"] + arguments, output: .file(file), errors: .file(file))
    let status = try process.status()
    return (status, String(decoding: contents(ofSmallFile: file) ?? [], as: UTF8.self))
  }
}
