// `fdsupervisord run` as somebody uses it: a command, files that change, ports that are taken, programs that fail.

import Glibc
import Supervisor
import Testing

@Suite("A run at a desk", .timeLimit(.minutes(5))) struct RunTests {
  private let desk: Desk
  private let address = World.address()

  init() throws { desk = try Desk() }

  private func server(_ word: String) -> String { Desk.webServer(word, at: address) }

  private func answers(_ word: String) throws {
    do {
      try eventually("it answers \"\(word)\"") { () -> Bool? in
        do {
          return try Client.page(address).contains(word) ? true : nil
        } catch let error as SystemError where error.code == ECONNRESET {
          return nil  // accepted by a program that was ended then: lost by it, but never refused
        }
      }
    } catch {
      throw NeverHappened(what: "\(error)\n\(desk.output)")
    }
  }

  @Test("the port is found when the program binds it, and stays open when a file changes")
  func change() throws {
    try desk.write(server("first"), to: "server.py")
    try desk.start("--", "python3", "server.py")
    try desk.reach("server")
    try answers("first")
    try desk.write(server("second"), to: "server.py")
    // Never refused from here on: each look is a connection.
    try answers("second")
    try desk.says("server.py changed")
    #expect(try desk.status("server").sockets.count == 1)
  }

  @Test("what the program started is gone before the next start, and nothing of it has the port")
  func strays() throws {
    try desk.write(
      "import os, subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)\n" + server("x"),
      to: "server.py")
    try desk.start("--", "python3", "server.py")
    try desk.reach("server")
    try answers("x")
    let outcome = try desk.call(.restart, ServiceSelection(names: ["server"]), as: OperationReply.self)
      .outcomes
    let report = try #require(outcome.first?.report)
    #expect(report.strays.map(\.command) == ["sleep 1000"])
  }

  @Test("a program that fails tells the browser why, and is there again after the next change")
  func failure() throws {
    try desk.write(server("good"), to: "server.py")
    try desk.start("--", "python3", "server.py")
    try desk.reach("server")
    try answers("good")
    try desk.write("this is no Python\n", to: "server.py")
    try desk.reach("server", .failed, generation: 2)
    let page = try Client.page(address)
    #expect(page.hasPrefix("HTTP/1.1 503"))
    #expect(page.contains("SyntaxError"))
    try desk.says("waiting for a change")
    try desk.write(server("mended"), to: "server.py")
    try answers("mended")
  }

  @Test("without a page, connections wait until the program is back")
  func noPage() throws {
    try desk.write(server("good"), to: "server.py")
    try desk.start("--no-page", "--", "python3", "server.py")
    try desk.reach("server")
    try answers("good")
    try desk.write("this is no Python\n", to: "server.py")
    try desk.reach("server", .failed, generation: 2)
    let waiting = try Client(address)
    try waiting.say("GET / HTTP/1.0\r\n\r\n")
    try desk.write(server("mended"), to: "server.py")
    #expect(try waiting.text().contains("mended"))
  }

  @Test("a port that a stranger has is named with its holder, who is left alone")
  func taken() throws {
    let holder = try desk.spawn("misbehaving", ["bind=\(address)", "serve"], output: "holder")
    try eventually("the holder listens") { try Client.isRefused(address) ? nil : true }
    try desk.write(server("x"), to: "server.py")
    try desk.start("--", "python3", "server.py")
    try desk.reach("server", .failed)
    try desk.says("\(address) is taken; --take-over ends who has it")
    try desk.says("\(holder.pid)  ")
    #expect(try Client.isRefused(address) == false)
    #expect(holder.isRunning)
  }

  @Test("a port that whoever started the run has is not taken from them")
  func takenAbove() throws {
    let own = try listener(on: address)
    try desk.write(server("x"), to: "server.py")
    try desk.start("--take-over", "--", "python3", "server.py")
    try desk.reach("server", .failed)
    try desk.says("is spared: this command was started by it")
    withExtendedLifetime(own) {}
  }

  @Test("with --listen a taken port is told before anything starts")
  func takenAtStart() throws {
    let stranger = try listener(on: address)
    let run = try desk.spawn("fdsupervisord", ["run", "--listen", address, "--", "true"], output: "refusal")
    #expect(try run.status() == 1)
    withExtendedLifetime(stranger) {}
  }

  @Test("--take-over ends the holder without asking, and the program gets the port")
  func takeOver() throws {
    let holder = try desk.spawn("misbehaving", ["bind=\(address)", "serve"], output: "holder")
    try eventually("the holder listens") { try Client.isRefused(address) ? nil : true }
    try desk.write(server("mine"), to: "server.py")
    try desk.start("--take-over", "--", "python3", "server.py")
    // Before that the holder may die with a connection.
    try desk.reach("server", generation: 2)
    try answers("mine")
    _ = try holder.status()
  }

  @Test("with --no-watch the end of the command is the end of the run, with its status")
  func status() throws {
    let run = try desk.spawn(
      "fdsupervisord", ["run", "--no-watch", "--", "sh", "-c", "exit 7"], output: "output")
    #expect(try run.status() == 7)
  }

  @Test("piped output has no escape codes, and a name before each line")
  func plain() throws {
    let run = try desk.spawn(
      "fdsupervisord", ["run", "--no-watch", "-n", "web", "--", "echo", "hello"], output: "plain")
    #expect(try run.status() == 0)
  }
}
