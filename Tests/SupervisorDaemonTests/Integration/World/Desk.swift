// A folder in which somebody works: `fdsupervisord run` in it, the tool beside it, and nothing left at the end.

import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import SupervisorDaemon
import Testing

/// One directory with one run.
final class Desk {
  let folder: TestFolder
  /// Where it keeps what is not part of the project.
  private let aside: TestFolder
  private(set) var run: Spawned?
  let control: String

  init() throws {
    folder = try TestFolder()
    aside = try TestFolder()
    control = aside.path + "/control.sock"
  }

  deinit {
    do {
      if let run, run.isRunning {
        try run.send(SIGTERM)
        #expect(try run.status() == 0, "\(output)")
      }
    } catch {
      Issue.record("\(error)\n\(output)")
    }
  }

  func path(_ name: String) -> String { folder.path + "/" + name }
  /// What the run said.
  var output: String { text(of: "output") }
  /// What a program said.
  func text(of output: String) -> String {
    String(decoding: contents(ofSmallFile: aside.path + "/" + output, limit: 1 << 24) ?? [], as: UTF8.self)
  }

  /// Writes a file in place.
  func write(_ text: String, to name: String) throws {
    let file = try FileDescriptor.open(path(name), O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    var bytes = Array(text.utf8)
    _ = try bytes.withUnsafeMutableBytes { try file.write(UnsafeRawBufferPointer($0)) }
  }

  /// A web server in Python that answers with its word.
  static func webServer(_ word: String, at address: String) -> String {
    let parts = address.split(separator: ":")
    return """
      import http.server
      class Handler(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              self.send_response(200)
              self.end_headers()
              self.wfile.write(b"\(word)")
          def log_message(self, *_): pass
      server = http.server.ThreadingHTTPServer(("\(parts[0])", \(parts[1])), Handler)
      server.serve_forever()

      """
  }

  /// Everybody below the run, and the run.
  func family() throws -> [ProcessIdentity] {
    let pid = try #require(run).pid
    var found: [ProcessIdentity] = []
    Descendants.visit(.including([pid])) { found.append($0.stat.identity) }
    return found
  }

  /// Ends it as Ctrl-C does, and proves that nobody is left.
  func end(by signal: Int32 = SIGINT) throws {
    let family = try family()
    let run = try #require(run)
    try run.send(signal)
    #expect(try run.status() == 0, "\(output)")
    #expect(family.filter(ProcessTable.isAlive).isEmpty, "\(output)")
  }

  /// Runs the tool in the folder, until its end.
  @discardableResult func ctl(_ words: String...) throws -> (status: Int32, output: String) {
    let tool = try spawn("fdsupervisorctl", words, output: "ctl")
    return (try tool.status(), text(of: "ctl"))
  }

  /// Runs the program in the folder, whose output goes to the terminal of nobody.
  func spawn(_ program: String, _ words: [String], output name: String) throws -> Spawned {
    let shell = [
      "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", folder.path, try ChildProcess.built(program),
    ]
    let stream = Spawned.Stream.file(aside.path + "/" + name)
    return try Spawned("/bin/sh", shell + words, output: stream, errors: stream, care: .leashed)
  }

  /// Starts `fdsupervisord run` and waits until the tool reaches it.
  func start(_ words: String..., options: [String] = []) throws {
    let run = try spawn("fdsupervisord", ["run", "--control", control] + options + words, output: "output")
    self.run = run
    try eventually("the run answers") {
      if !run.isRunning { throw NeverHappened(what: "a run: \(output)") }
      return isHeard ? true : nil
    }
  }

  /// Not before somebody listens: the path is there a moment earlier.
  private var isHeard: Bool {
    do throws(SystemError) {
      try UnixStream.connect(try UnixStream.make(.blocking), to: control)
      return true
    } catch {
      return false
    }
  }

  func call<Value: Decodable>(
    _ method: ControlMethod, _ parameters: some Encodable, as type: Value.Type
  ) throws -> Value {
    try ControlClient(path: control).call(method, parameters, as: type)
  }

  func status(_ name: String) throws -> ServiceStatus {
    let reply = try call(.status, ServiceSelection(names: [name]), as: StatusReply.self)
    return try #require(reply.services.first)
  }

  @discardableResult func reach(
    _ name: String, _ state: PublicState = .running, generation: Int = 1
  ) throws -> ServiceStatus {
    do {
      return try eventually("\(name) is \(state), generation \(generation)") {
        let status = try status(name)
        return status.state == state && status.generation >= generation ? status : nil
      }
    } catch let error as NeverHappened {
      throw NeverHappened(what: "\(error.what)\n\(output)")
    }
  }

  func says(_ text: String) throws {
    do {
      try eventually("it says \"\(text)\"") { output.contains(text) ? true : nil }
    } catch {
      throw NeverHappened(what: "\(error)\n\(output)")
    }
  }
}
