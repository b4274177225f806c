import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A program that is to take over", .timeLimit(.minutes(5))) struct SuccessorTests {
  private let world: World
  private let programs: ProgramFolder
  private let address = World.address()

  init() throws {
    world = try World()
    programs = try ProgramFolder(in: world)
  }

  private func start() throws {
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.app]
      command = \(try world.command("notify=READY=1", "serve"))
      sockets = ["web"]
      readiness = "notify"
      """, program: programs.daemon, running: ["app"])
  }

  /// What the caller is told when it is refused; everything is as it was.
  private func refusal() throws -> String {
    let (before, inode) = (try world.status(), try world.inode())
    var message: String?
    do {
      _ = try world.call(.reexec, NoParameters(), as: ReexecReply.self)
    } catch ControlClientError.refused(_, let text) { message = text }
    let text = try #require(message, "\(world.log)")
    #expect(try world.status() == before && world.inode() == inode)
    #expect(try Client.ask(address) == before.pid)
    #expect(world.log.contains(text), "\(world.log)")
    return text
  }

  private func expectThatTheTrueOneTakesOver() throws {
    try programs.restore()
    let reply = try world.call(.reexec, NoParameters(), as: ReexecReply.self)
    #expect(reply.pid == world.daemon?.pid && reply.services == 1)
    #expect(try world.status().generation == 1)
  }

  @Test("is found under the path of the one before, though that file is gone")
  func replaced() throws {
    try start()
    for _ in 0..<2 { try expectThatTheTrueOneTakesOver() }
    #expect(try world.restart().generation == 2)
  }

  @Test("and is another program, or none, leaves the daemon as it is, which says why")
  func unfit() throws {
    try start()
    try programs.replace(with: "/bin/true")
    #expect(try refusal().contains("it ended without saying that it can; the daemon goes on as it is"))
    try programs.replace(withScript: "echo I am broken >&2; exit 1")
    #expect(try refusal().contains("I am broken"))
    try programs.replace(withScript: "exit 0", mode: 0o644)
    #expect(try refusal().contains("Permission denied"))
    unlink(programs.daemon)
    #expect(try refusal().contains("No such file or directory"))
    // One that repeats what every other one would say.
    try programs.replace(withScript: "echo 0123456789abcdef \(Product.version)")
    #expect(try refusal().contains("it ended without saying that it can"))
    try expectThatTheTrueOneTakesOver()
  }

  @Test("and says nothing is ended after five seconds, with all that it started")
  func hanging() throws {
    try start()
    let register = world.path("hanging")
    try programs.replace(withScript: "echo $$ > \(register); sleep 1000 & sleep 1000")
    let began = Clock.now()
    let call = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", world.control, "reexec"],
      errors: .file(world.path("reexec.err")))
    // Others are served meanwhile.
    try eventually("it hangs") { world.text(of: "hanging").hasSuffix("\n") ? true : nil }
    #expect(try world.status().state == .running)
    let second = try world.ctl("reexec")
    #expect(second.status == 1 && second.errors.contains("somebody else's reexec is under way"), "\(second)")
    #expect(try call.status() == 1)
    #expect(Clock.now() - began < .seconds(15))
    #expect(world.text(of: "reexec.err").contains("did not say within 5 s that it can take over"))
    let pid = try #require(Int32(world.text(of: "hanging").filter(\.isNumber)))
    try eventually("nothing of it is left") {
      let daemon = try #require(world.daemon?.pid)
      return ProcessTable.stat(of: pid) == nil && ProcessTable.children(of: daemon).count == 1 ? true : nil
    }
    try expectThatTheTrueOneTakesOver()
  }

  @Test("and fails only then gives the process back, once, and the caller is told")
  func fallBack() throws {
    try start()
    // It rehearses well; what then takes over lies where there is no keeper.
    let alone = try programs.copyWithoutKeeper()
    try programs.replace(
      withScript: """
        case "$1" in --rehearse) exec \(try ChildProcess.built("fdsupervisord")) "$@";; esac
        exec \(alone) "$@"
        """)
    let text = try refusal()
    #expect(text.contains("cannot take over: cannot find the keeper"), "\(text)")
    #expect(world.log.contains("going back to the program before"))
    try expectThatTheTrueOneTakesOver()
    #expect(try world.restart().generation == 2)
  }

  @Test("refuses a state of another format, by its name", arguments: ["2", "0", "1x", ""])
  func format(_ version: String) throws {
    let file = try StateFile.seal(Array("fdsupervisord-state \(version)\n{}".utf8))
    let child = try Spawned(
      try ChildProcess.built("fdsupervisord"), ["--rehearse", "3"], errors: .file(world.path("errors")),
      extra: [3: file.number])
    #expect(try child.status() == 1)
    #expect(world.text(of: "errors").contains("the state has format \(version), fdsupervisord"))
  }

  @Test("refuses what is no state, and what somebody could still change")
  func nonsense() throws {
    for text in ["", "nonsense", "fdsupervisord-state 1\n", "fdsupervisord-state 1\n{\"pid\":1}"] {
      let file = try StateFile.seal(Array(text.utf8))
      #expect(throws: HandoverError.self) { try StateFile.read(file.number) }
    }
    let open = FileDescriptor(owning: cl_memory_file("test"))
    let error = #expect(throws: HandoverError.self) { try StateFile.read(open.number) }
    #expect(error?.description == "descriptor \(open.number) is no sealed state of a daemon")
  }
}
