// A machine of its own for the tests: a real systemd as PID 1, see Tests/Box/systemd-box.

import FoundationEssentials
import Glibc
import Supervisor
import Testing

/// One booted box.
///
/// It is powered off with its owner, or when this process ends in whatever way: it runs as long as a pipe is open.
final class Box: Sendable {
  /// The box's root, seen from outside.
  private let root: String
  private let name: String
  private let process: PidFD
  private let keepAlive: CInt

  /// Boots one; the built programs and the sources lie inside where they lie outside.
  init() throws {
    let pipe = try FileDescriptor.pipe()
    try pipe.reading.setBlocking(.blocking)
    let said = try TemporaryFile()
    let name = "test-\(getpid())-\(UInt16.random(in: 0...UInt16.max))"
    let process = try Program.start(
      [Self.script, "run", name, "--bind", Self.programs, "--bind", Self.sources],
      streams: [pipe.reading.number, said.descriptor.number, said.descriptor.number])
    try eventually("a booted box", within: .seconds(90)) {
      if said.text.hasSuffix("ready\n") { return true }
      var entry = pollfd(fd: process.descriptor.number, events: Int16(POLLIN), revents: 0)
      if poll(&entry, 1, 0) == 1 { throw NeverHappened(description: "a booted box: \(said.text)") }
      return nil
    }
    let leader = try Program.run([Self.script, "leader", name]).output.split(separator: "\n")
    root = "/proc/\(try #require(leader.first))/root"
    self.name = name
    self.process = process
    keepAlive = try pipe.writing.duplicate().release()
    // Where every user may execute it, wherever the sources lie.
    try run("install", "-m", "755", "-D", Self.program("misbehaving"), Self.service)
  }

  deinit {
    close(keepAlive)
    if Program.status(of: process, within: .seconds(20)) == nil { Issue.record("box \(name) did not end") }
  }

  // MARK: Where things are

  private static let tests = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()
  private static let script = tests + "/Box/systemd-box"
  /// The root of the project.
  static let sources = tests.split(separator: "/").dropLast().map { "/" + $0 }.joined()
  /// The folder of the built programs.
  static let programs: String = {
    // The test bundle lies in that folder, or below it; argument 0 may be the toolchain's runner.
    for argument in CommandLine.arguments {
      for kind in ["/debug/", "/release/"] {
        guard let end = argument.firstRange(of: kind)?.upperBound else { continue }
        let folder = String(argument[..<end].dropLast())
        if access(folder + "/misbehaving", X_OK) == 0 { return folder }
      }
    }
    return sources + "/.build/debug"
  }()
  static func program(_ name: String) -> String { "\(programs)/\(name)" }

  /// The fixture `misbehaving`, inside.
  static let service = "/usr/local/lib/misbehaving"

  /// Why no box can be booted here; nil where one can.
  static let obstacle: String? = {
    do {
      let trial = try Program.run([script, "can"])
      return trial.status == 0 ? nil : trial.errors
    } catch {
      return "\(error)"
    }
  }()

  // MARK: What one does with it

  /// The words that run a command inside.
  func command(_ words: [String]) -> [String] { [Self.script, "exec", name] + words }

  /// Runs a command inside, whatever its exit status is.
  func attempt(_ words: String..., within limit: Duration = .seconds(30)) throws -> Outcome {
    try Program.run(command(words), within: limit)
  }

  /// Runs a command inside that has to succeed, and returns its output.
  @discardableResult func run(_ words: String..., within limit: Duration = .seconds(30)) throws -> String {
    let outcome = try Program.run(command(words), within: limit)
    if outcome.status != 0 { throw NeverHappened(description: "success of \(outcome)") }
    return outcome.output
  }

  func write(_ text: String, to path: String) throws {
    let folder = path.split(separator: "/").dropLast().joined(separator: "/")
    try FileManager.default.createDirectory(atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
    let file = try FileDescriptor.open(root + path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    var bytes = Array(text.utf8)
    _ = try bytes.withUnsafeMutableBytes { try file.write(UnsafeRawBufferPointer($0)) }
  }

  /// A file of the box; empty when it is not there.
  func text(of path: String) -> String {
    String(decoding: contents(ofSmallFile: root + path, limit: 64 << 20) ?? [], as: UTF8.self)
  }

  func exists(_ path: String) -> Bool { access(root + path, F_OK) == 0 }

  /// A property of a unit, systemctl(1) show.
  func property(_ name: String, of unit: String) throws -> String {
    let text = try run("systemctl", "show", "--value", "--property", name, unit)
    return String(text.split(separator: "\n").first ?? "")
  }

  /// What the journal has of a unit since the box booted.
  func journal(_ unit: String, _ arguments: String...) throws -> String {
    try run("journalctl", "--sync")
    return try Program.run(
      command(["journalctl", "--no-pager", "--unit", unit] + arguments)
    ).output
  }
}

extension String {
  /// Where another string first occurs.
  func firstRange(of other: String) -> Range<Index>? {
    indices.lazy.filter { self[$0...].hasPrefix(other) }.map { $0..<self.index($0, offsetBy: other.count) }
      .first
  }
}
