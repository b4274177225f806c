import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("The lines of a console", .timeLimit(.minutes(5)))
struct ConsoleLineTests {
  private func line(_ service: String, _ kind: ConsoleLine.Kind, _ text: String) -> ConsoleLine {
    ConsoleLine(service: service, kind: kind, text: Array(text.utf8))
  }

  @Test("say who speaks, aligned, and whether it is the service or we")
  func plain() {
    #expect(line("web", .output, "listening").rendered(colours: .off, width: 6) == "web    | listening")
    #expect(
      line("worker", .event(.info), "server.py changed").rendered(colours: .off, width: 6)
        == "worker > server.py changed")
    #expect(line("", .event(.notice), "SIGINT").rendered(colours: .off, width: 3) == "    > SIGINT")
  }

  @Test("have no escape codes without colours, whatever a service prints")
  func colourless() {
    let text = "\u{1B}[31mred\u{1B}[0m\u{1B}[2J\u{1B}]0;title\u{7}"
    #expect(line("web", .output, text).rendered(colours: .off, width: 3) == "web | red")
  }

  @Test("keep a service's colours on a terminal, and nothing that moves a cursor")
  func coloured() {
    let shown = line("web", .output, "\u{1B}[31mred\u{1B}[2J").rendered(colours: .on, width: 3)
    #expect(shown.contains("\u{1B}[31mred"))
    #expect(!shown.contains("\u{1B}[2J"))
    #expect(shown.hasSuffix("\u{1B}[0m"))
    #expect(
      line("web", .event(.error), "no").rendered(colours: .on, width: 3).hasSuffix("\u{1B}[1;31mno\u{1B}[0m"))
  }

  /// A console whose output is a file.
  private func console(
    _ colours: LogContext.Colours, _ use: (LogStage, LogContext, ConsoleTap) throws -> Void
  ) throws -> String {
    let stage = try LogStage()
    let context = LogContext.console(
      loop: stage.loop, output: stage.output, threshold: .info, colours: colours)
    context.nameWidth = 6
    try use(stage, context, try #require(context.tap))
    return stage.written
  }

  @Test("are one for each event; what another line says is left out, what is wrong never")
  func events() throws {
    let written = try console(.off) { _, context, _ in
      context.log.log(.notice, service: "web", "generation 2 is ready, pid 7, 3 ms", kind: .serviceReady)
      context.log.log(.notice, service: "web", "stray 8", kind: .straySwept)
      context.log.log(.info, service: "web", "generation 2 is ready in 3 ms")
      context.log.log(.error, service: "worker", "pid 9 ended: exit 1", lines: ["Traceback"], kind: .notReady)
      context.log.log(.error, service: "worker", "its main process ended: exit 1", kind: .gaveUp)
      context.log.log(.warning, service: "web", "stray 9 stays", kind: .straySwept)
      context.log.log(.notice, "SIGINT: stopping all services", kind: .daemonStopping)
    }
    #expect(
      written == """
        web    > generation 2 is ready in 3 ms
        worker > pid 9 ended: exit 1
        worker >   | Traceback
        web    > stray 9 stays
               > SIGINT: stopping all services

        """)
  }

  @Test("come to those who look from elsewhere, with those that were there before")
  func tap() throws {
    _ = try console(.off) { stage, context, tap in
      context.log.log(.info, service: "web", "one")
      #expect(tap.last(10).map { String(decoding: $0.text, as: UTF8.self) } == ["one"])
      var seen: [String] = []
      let key = tap.subscribe { seen += $0.map { $0.rendered(colours: .off, width: 3) } }
      let log = ServiceLog(service: "web", definition: .standard, in: context)
      let output = try log.descriptorForLaunch()
      try output.print("two\nthree")
      try stage.run { !seen.isEmpty }
      log.drainNow()
      #expect(seen == ["web | two", "web | three"])
      tap.cancel(key)
      for number in 0..<500 { context.log.log(.info, "\(number)") }
      #expect(seen.count == 2)
      #expect(tap.last(1000).count == ConsoleTap.remembered)
      #expect(tap.last(1).map { String(decoding: $0.text, as: UTF8.self) } == ["499"])
    }
  }

  @Test("tell of a relaunch in one: how long, what was removed, who waited")
  func brief() {
    var report = RelaunchReport(service: "web", generation: 2)
    (report.pid, report.milliseconds, report.queued) = (7, 41, 2)
    report.strays = [
      .init(pid: 8, command: "sleep 1000", held: ["127.0.0.1:5000 as fd 4"], milliseconds: 1),
      .init(pid: 9, command: "cat", milliseconds: 1), .init(pid: 10, command: "dd"),
    ]
    #expect(
      BriefReport.line(report)
        == "generation 2 is ready in 41 ms; removed sleep 1000 (held 127.0.0.1:5000), cat; still there: dd; "
        + "2 connections waited")
  }
}
