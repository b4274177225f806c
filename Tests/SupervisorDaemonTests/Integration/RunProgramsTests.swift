// `fdsupervisord run` with the programs that people run at a desk, as they start them, unchanged.

import Glibc
import Supervisor
import Testing

@Suite("At a desk", .timeLimit(.minutes(5))) struct RunProgramsTests {
  /// A program whose answer tells the version of its file.
  struct Program: Sendable, CustomTestStringConvertible {
    var name: String
    /// What it needs: a program in /usr/bin, or one of `scripts/setup --recipes`.
    var needs: String
    /// The file that is edited; HOST, PORT and VERSION are replaced.
    var file: String
    var text: String
    var others: [String: String] = [:]
    var options: [String] = []
    var command: [String]
    var reload = Reload.byUs

    enum Reload {
      case byUs
      /// The program watches its files, and is left to it.
      case byItself
    }

    var testDescription: String { name }

    var isThere: Bool {
      access(needs.hasPrefix("/") ? needs : Recipe.root + "/.build-recipes/venv/bin/" + needs, X_OK) == 0
    }
  }

  private let desk: Desk
  private let address = World.address()

  init() throws { desk = try Desk() }

  private func filled(_ text: String, version: Int) -> String {
    let parts = address.split(separator: ":").map(String.init)
    return text.replacing("HOST", with: parts[0]).replacing("PORT", with: parts[1])
      .replacing("VERSION", with: "\(version)").replacing(
        "VENV", with: Recipe.root + "/.build-recipes/venv/bin")
  }

  private func edit(_ program: Program, version: Int) throws {
    try desk.write(filled(program.text, version: version), to: program.file)
  }

  private func answers(version: Int) throws {
    do {
      try eventually("version \(version) answers") { () -> Bool? in
        do {
          return try Client.page(address).contains("version \(version).") ? true : nil
        } catch let error as SystemError where error.code == ECONNRESET {
          return nil  // accepted by the program that was ended then
        }
      }
    } catch {
      throw NeverHappened(what: "\(error)\n\(desk.output)")
    }
  }

  @Test(
    "its port is found, a change is one restart that refuses nobody, and nothing of it is left",
    arguments: Program.all)
  func serves(_ program: Program) throws {
    if !program.isThere {
      if Recipe.areRequired { Issue.record("\(program.needs) is not installed") }
      return
    }
    for (name, text) in program.others { try desk.write(filled(text, version: 1), to: name) }
    try edit(program, version: 1)
    try desk.start(
      options: program.options + ["-n", "app", "--"] + program.command.map { filled($0, version: 1) })
    try desk.reach("app")
    try eventually("it listens") { try Client.isRefused(address) ? nil : true }
    try answers(version: 1)

    let load = try RequestLoad(.http, at: address, in: desk.folder) { desk.output }
    try load.awaitAnswer("before the change")
    try edit(program, version: 2)
    try answers(version: 2)
    #expect(try desk.reach("app").generation == (program.reload == .byUs ? 2 : 1), "\(desk.output)")
    for generation in 2...3 {
      _ = try desk.call(.restart, ServiceSelection(names: ["app"]), as: OperationReply.self)
      try desk.reach("app", generation: generation)
      try answers(version: 2)
    }
    let result = try load.end()
    #expect(result.refused == 0 && result.timedOut == 0 && result.wrong == 0, "\(result)\n\(desk.output)")

    try desk.end()
    #expect(try SocketTable().listeners(on: SocketAddress(parsing: address)).isEmpty)
  }
}

extension RunProgramsTests.Program {
  private static let python = """
    import http.server
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            text = b"version VERSION."
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        def log_message(self, *_): pass
    http.server.ThreadingHTTPServer(("HOST", PORT), Answer).serve_forever()

    """
  private static let flask = """
    from flask import Flask
    app = Flask(__name__)
    @app.get("/")
    def root(): return "version VERSION."

    """
  private static let node = """
    require("http").createServer((_, answer) => answer.end("version VERSION.")).listen(PORT, "HOST")

    """

  static let all: [Self] = [
    Self(
      name: "python -m http.server", needs: "/usr/bin/python3", file: "index.html",
      text: "version VERSION.\n",
      command: ["python3", "-m", "http.server", "--bind", "HOST", "PORT"]),
    Self(
      name: "Flask", needs: "flask", file: "app.py", text: flask,
      command: ["VENV/flask", "run", "--host", "HOST", "--port", "PORT"]),
    Self(
      name: "Flask with its reloader", needs: "flask", file: "app.py", text: flask,
      command: ["VENV/flask", "run", "--debug", "--host", "HOST", "--port", "PORT"], reload: .byItself),
    Self(
      name: "uvicorn", needs: "uvicorn", file: "app.py",
      text: """
        async def app(scope, receive, send):
            if scope["type"] != "http": return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"version VERSION."})

        """, command: ["VENV/uvicorn", "--host", "HOST", "--port", "PORT", "app:app"]),
    Self(
      name: "Node", needs: "/usr/bin/node", file: "server.js", text: node, command: ["node", "server.js"]),
    Self(
      name: "a shell's pipeline", needs: "/usr/bin/python3", file: "server.py", text: python,
      command: ["sh", "-c", "python3 server.py | tee answers.txt"]),
    Self(
      name: "a shell below a shell", needs: "/usr/bin/node", file: "server.js", text: node,
      command: ["sh", "-c", "sh -c 'node server.js; exit' ; exit"]),
    Self(
      name: "npm run", needs: "/usr/bin/npm", file: "server.js", text: node,
      others: ["package.json": #"{"name": "app", "scripts": {"dev": "node server.js"}}"#],
      command: ["npm", "run", "dev"]),
    Self(
      name: "a program that leaves a helper with its port", needs: "/usr/bin/python3", file: "server.py",
      text: "import subprocess\n"
        + python.replacing(
          "http.server.Thr", with: "server = http.server.Thr"
        ).replacing(
          ".serve_forever()",
          with: "\nserver.socket.set_inheritable(True)\n"
            + "subprocess.Popen(['sleep', '1000'], close_fds=False, start_new_session=True)\nserver.serve_forever()"
        ),
      command: ["python3", "server.py"]),
  ]
}
