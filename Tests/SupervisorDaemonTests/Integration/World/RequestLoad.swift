// Clients that know how a program is talked to, and count what became of each request.

import FoundationEssentials
import Glibc
import Supervisor
import Testing

/// Two clients in a closed loop, some dozens of requests a second, from a process of their own.
final class RequestLoad {
  /// What a client says, and how the answer begins; with Python's escapes.
  struct Probe: Sendable {
    var question: String
    var answer: String

    static let http = Probe(question: "GET / HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n", answer: "HTTP/1.")
  }

  struct Result: Decodable {
    var answered: Int
    var refused: Int
    /// The connection ended before the answer had begun.
    var broken: Int
    var timedOut: Int
    /// An answer that begins in another way.
    var wrong: Int
    var lastWrong: String
  }

  private static let script = """
    import json, os, signal, socket, sys, threading, time
    where = sys.argv[1]
    question, wanted = (word.encode().decode("unicode_escape").encode("latin-1") for word in sys.argv[2:])
    names = ("answered", "refused", "broken", "timedOut", "wrong")
    counts = dict.fromkeys(names, 0); counts["lastWrong"] = ""
    def connect():
        if where.startswith("unix:"):
            s = socket.socket(socket.AF_UNIX); s.settimeout(15); s.connect(where[5:])
            return s
        host, port = where.rsplit(":", 1)
        return socket.create_connection((host.strip("[]"), int(port)), timeout=15)
    def ask():
        try:
            with connect() as s:
                s.sendall(question)
                answer = b""
                while len(answer) < len(wanted) and (part := s.recv(4096)): answer += part
        except ConnectionRefusedError: return "refused"
        except TimeoutError: return "timedOut"
        except OSError: return "broken"
        if answer.startswith(wanted): return "answered"
        if not answer: return "broken"
        counts["lastWrong"] = repr(answer[:200])
        return "wrong"
    over = threading.Event()
    def client():
        while not over.is_set():
            outcome = ask()
            counts[outcome] += 1
            if outcome == "answered": os.write(1, b".")
            time.sleep(0.01)
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    clients = [threading.Thread(target=client) for _ in range(2)]
    for c in clients: c.start()
    over.wait()
    for c in clients: c.join()
    print(); print(json.dumps(counts), flush=True)
    """

  private let process: Spawned
  private let folder: TestFolder
  /// What helps to understand why nobody answers.
  private let log: () -> String

  init(_ probe: Probe, at address: String, in folder: TestFolder, log: @escaping () -> String) throws {
    (self.folder, self.log) = (folder, log)
    process = try Spawned(
      "/usr/bin/env", ["python3", "-S", "-c", Self.script, address, probe.question, probe.answer],
      output: .file(folder.path + "/load"), errors: .file(folder.path + "/load.errors"))
  }

  /// Waits until a request of now was answered: two may be under way.
  func awaitAnswer(_ when: String) throws {
    let before = answers
    do {
      try eventually("an answer \(when)") { answers > before + 2 ? true : nil }
    } catch {
      throw NeverHappened(what: "\(error)\n\(text(of: "load.errors"))\n\(log())")
    }
  }

  private func text(of name: String) -> String {
    String(decoding: contents(ofSmallFile: folder.path + "/" + name, limit: 1 << 24) ?? [], as: UTF8.self)
  }

  /// A byte for each.
  private var answers: Int { text(of: "load").utf8.count }

  func end() throws -> Result {
    try process.send(SIGTERM)
    _ = try process.status()
    let line = try #require(
      text(of: "load").split(separator: "\n").last, "\(text(of: "load.errors"))")
    return try JSONDecoder().decode(Result.self, from: Data(line.utf8))
  }
}
