// A folder of configuration files for one test; it goes with its owner.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

final class ConfigurationFolder {
  let path: String
  private var written: [String] = []

  init() throws {
    var template = Array("/tmp/configuration-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError("create a folder") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in written.reversed() { remove(path + "/" + name) }
    rmdir(path)
  }

  func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

  func write(_ bytes: [UInt8], to name: String) throws {
    let file = try FileDescriptor.open(path + "/" + name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
    written.append(name)
    var rest = bytes[...]
    while !rest.isEmpty { rest = rest.dropFirst(try rest.withUnsafeBytes { try file.write($0) }) }
  }

  func folder(_ name: String) throws {
    guard mkdir(path + "/" + name, 0o755) == 0 else { throw SystemError("create", name) }
    written.append(name)
  }

  func fifo(_ name: String) throws {
    guard mkfifo(path + "/" + name, 0o644) == 0 else { throw SystemError("create", name) }
    written.append(name)
  }

  func load(_ name: String = "c.toml") -> ConfigurationResult { ConfigurationLoader.load(path + "/" + name) }

  /// The findings as they are printed, without the folder; "" when there is none.
  func findings(_ name: String = "c.toml") -> String {
    let found =
      switch load(name) {
      case .success(_, let warnings): warnings
      case .failure(let diagnostics): diagnostics
      }
    return found.map(\.description).joined(separator: "\n").removing(path + "/")
  }

  /// The configuration, or a failed expectation.
  func configuration(_ name: String = "c.toml") throws -> Configuration {
    switch load(name) {
    case .success(let configuration, _): return configuration
    case .failure(let diagnostics):
      Issue.record("\(diagnostics.map(\.description).joined(separator: "\n"))")
      throw NotLoaded()
    }
  }

  struct NotLoaded: Error {}
}

/// The findings about a text in c.toml.
func findings(in text: String) throws -> String {
  let folder = try ConfigurationFolder()
  try folder.write(text, to: "c.toml")
  return folder.findings()
}

/// The only service of a text in c.toml.
func service(_ text: String) throws -> ServiceDefinition {
  let folder = try ConfigurationFolder()
  try folder.write(text, to: "c.toml")
  return try #require(try folder.configuration().services.first)
}

/// A text, and what is found in it.
struct Golden: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let text: String
  let findings: String

  init(_ description: String, _ text: String, _ findings: String) {
    self.testDescription = description
    self.text = text
    self.findings = findings
  }

  /// A line in a service that is otherwise right; the finding is in line 3.
  init(service line: String, _ finding: String) {
    let text = "[service.app]\ncommand = [\"true\"]\n\(line)\n"
    self.init(line, text, "c.toml:3:" + finding)
  }

  /// A line in a socket that is otherwise right and used; the finding is in line 6.
  init(socket line: String, listen: String = "8000", _ finding: String) {
    let text = """
      [service.app]
      command = ["true"]
      sockets = ["web"]
      [socket.web]
      listen = "\(listen)"
      \(line)
      """
    self.init(line, text, "c.toml:6:" + finding)
  }
}

extension String {
  fileprivate func removing(_ part: String) -> String {
    var result = ""
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(part) { rest = rest.dropFirst(part.count) } else { result.append(rest.removeFirst()) }
    }
    return result
  }
}
