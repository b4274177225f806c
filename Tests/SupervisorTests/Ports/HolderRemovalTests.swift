// Who is ended when somebody asks for an address, and what becomes of them.

import Glibc
import Supervisor
import Testing

@Suite("Whom a request for an address may end")
struct RemovalPlanTests {
  private func process(_ pid: Int32, unit: String = "") -> ProcessDescription {
    ProcessDescription(
      identity: ProcessIdentity(pid: pid, startTime: 1), command: "x", user: "u", unit: unit, age: .seconds(1)
    )
  }

  @Test(
    "spares PID 1, this command, those above it, and what a daemon of ours supervises; each with its reason")
  func refusals() {
    let daemon = RemovalPlan.Candidate.Supervisor(pid: 70, directory: "/home/me/app")
    let plan = RemovalPlan(
      [
        .init(process(1)), .init(process(50)), .init(process(40)), .init(process(71), supervisor: daemon),
        .init(process(72)),
      ], caller: [50, 40, 1])
    #expect(plan.chosen.map(\.pid) == [72])
    #expect(
      plan.refusals == [
        "\(process(1)) is spared: it is PID 1; stop its socket unit instead",
        "\(process(50)) is spared: it is this command",
        "\(process(40)) is spared: this command was started by it; end it yourself: kill 40",
        "\(process(71)) is spared: it belongs to fdsupervisord, pid 70; use fdsupervisorctl stop --close "
          + "in /home/me/app",
      ])
    #expect(plan.advice.isEmpty)
  }

  @Test("ends the processes of a systemd service, and says what may start them again")
  func unit() {
    let plan = RemovalPlan(
      [.init(process(5, unit: "nginx.service")), .init(process(6, unit: "session-3.scope"))], caller: [])
    #expect(plan.chosen.map(\.pid) == [5, 6])
    #expect(plan.advice == ["pid 5 belongs to nginx.service, which may start it again: stop that instead"])
  }

  @Test("ends what is below the daemon that the command itself is below, but not that daemon")
  func commonDaemon() {
    let daemon = RemovalPlan.Candidate.Supervisor(pid: 40, directory: nil)
    let plan = RemovalPlan(
      [.init(process(40), supervisor: daemon), .init(process(72), supervisor: daemon)], caller: [50, 40, 1])
    #expect(plan.chosen.map(\.pid) == [72])
    #expect(plan.refusals.count == 1)
  }

  @Test("knows this process and those above it")
  func real() {
    let plan = RemovalPlan(holders: [getpid(), getppid()])
    #expect(plan.chosen.isEmpty)
    #expect(plan.refusals.count == (ProcessTable.stat(of: getppid()) == nil ? 1 : 2))
  }
}

@Suite("The end of holders", .timeLimit(.minutes(5)))
struct HolderRemovalTests {
  private func description(of process: PythonProcess) throws -> ProcessDescription {
    try #require(ProcessDescription.of(process.pid))
  }

  @Test("comes with SIGTERM, at once, also to a process that is stopped")
  func terminates() throws {
    let server = try PythonProcess("say(0); wait()")
    let stopped = try PythonProcess("say(0); os.kill(os.getpid(), 19); wait()")
    for process in [server, stopped] { _ = try process.numbers() }
    let processes = [try description(of: server), try description(of: stopped)]
    let remarks = HolderRemoval.run(processes, patience: .seconds(60))
    #expect(Set(remarks) == Set(processes.map { "ended \($0) with SIGTERM" }))
  }

  @Test("comes with SIGKILL for who does not go")
  func kills() throws {
    let server = try PythonProcess("signal.signal(15, signal.SIG_IGN); say(0); wait()")
    _ = try server.numbers()
    let process = try description(of: server)
    #expect(
      HolderRemoval.run([process], patience: .milliseconds(100)) == ["ended \(process) with SIGKILL"])
  }

  @Test("hits nobody who has got the number of a holder meanwhile")
  func recycled() throws {
    let server = try PythonProcess("say(0); say(wait())")
    _ = try server.numbers()
    var process = try description(of: server)
    process.identity.startTime += 1
    #expect(HolderRemoval.run([process]) == ["\(process) was gone already"])
    try server.tell("alive")
    #expect(try server.line() == "alive")
  }

  @Test("the tree of a holder shows what is below it, and what of that holds it too")
  func tree() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); a, b = socket.socketpair()
      def child(close):
          pid = os.fork()
          if pid: return pid
          if close: s.close()
          b.send(b'x'); wait(); os._exit(0)
      pids = [child(False), child(True)]
      a.recv(1); a.recv(1)
      say(port(s), *pids); wait()
      """)
    let numbers = try server.numbers()
    let reply = try HolderQuery.holders(of: loopback(numbers[0]))
    let nodes = HolderTree.of(reply.holders)
    #expect(nodes.first?.pid == server.pid)
    #expect(nodes.map(\.depth) == [0, 1, 1])
    #expect(Set(nodes.dropFirst().map(\.pid)) == Set(numbers.dropFirst().map { Int32($0) }))
    #expect(nodes.first { $0.pid == numbers[1] }?.holds == true)
    #expect(nodes.first { $0.pid == numbers[2] }?.holds == false)
  }
}

@Suite("What a terminal is called")
struct TerminalTests {
  @Test(
    "follows from the number of its device",
    arguments: [
      (0, ""), (34816, "pts/0"), (34819, "pts/3"), (0x10882c, "pts/300"), (1025, "tty1"), (1088, "ttyS0"),
    ])
  func name(device: UInt32, expected: String) { #expect(Terminal.name(ofDevice: device) == expected) }
}
