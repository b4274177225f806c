// Clients that connect, wait for the answer and connect again, beside whatever the test does meanwhile.

import Glibc
import Supervisor
import Testing

/// A closed loop of connections from a process of its own.
final class Load {
  private let process: Spawned
  private let results: String

  struct Result {
    var answers: [Int32]
    /// What went wrong with a connection: errno's words, or an empty answer.
    var failures: [String]
    /// The longest time that a client waited for its answer, in milliseconds.
    var longest: Double
  }

  /// Ends at SIGTERM; a line for each connection.
  private static let script = """
    import signal, socket, sys, time
    running = [True]
    longest = 0
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    host, port = sys.argv[1].split(':')
    while running:
        began = time.monotonic()
        try:
            with socket.create_connection((host, int(port)), timeout=15) as s:
                answer = b''
                while chunk := s.recv(64): answer += chunk
            print(answer.decode().strip() or 'an empty answer', flush=True)
        except OSError as error:
            print(error, flush=True)
        longest = max(longest, time.monotonic() - began)
    print('longest', longest * 1000)
    """

  init(on address: String, folder: TestFolder) throws {
    results = folder.path + "/load"
    process = try Spawned(
      "/usr/bin/env", ["python3", "-c", Self.script, address], output: .file(results), errors: .file(results))
    try eventually("the load has begun") { self.lines.isEmpty ? nil : true }
  }

  private var lines: [Substring] {
    String(decoding: contents(ofSmallFile: results, limit: 64 << 20) ?? [], as: UTF8.self)
      .split(separator: "\n")
  }

  func end() throws -> Result {
    try process.send(SIGTERM)
    _ = try process.status()
    let told = lines
    let longest = told.last.flatMap { Double($0.drop { !$0.isNumber }) } ?? 0
    let lines = told.filter { !$0.hasPrefix("longest ") }
    return Result(
      answers: lines.compactMap { Int32($0) }, failures: lines.filter { Int32($0) == nil }.map(String.init),
      longest: longest)
  }
}
