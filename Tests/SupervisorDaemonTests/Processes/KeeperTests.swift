// The keeper as the daemon relies on it: what it says, when it ends, and whom it takes along.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A keeper", .timeLimit(.minutes(5)))
struct KeeperTests {
  @Test("tells that the program runs and how it ended, and then ends with 0")
  func life() throws {
    let kept = try KeptProcess(script: "echo $$; read line; exit 3")
    let pid = try #require(Int32(try kept.line()))
    #expect(try kept.message() == .started(pid: pid))
    let main = kept.keeper?.main
    #expect(main?.pidfd.pid == pid)
    try kept.tell("go")
    #expect(try kept.message() == .exited(.exited(3)))
    #expect(try kept.awaitEnd() == .exited(0))
  }

  @Test("tells the signal that ended the program")
  func signal() throws {
    let kept = try KeptProcess(script: "kill -9 $$")
    #expect(try kept.message() != .exited(.exited(0)))
    #expect(try kept.message() == .exited(.signalled(SIGKILL, coreDumped: false)))
  }

  @Test("names the step that failed, with errno")
  func failure() throws {
    func text(_ arguments: [String], _ change: (inout LaunchRequest) -> Void = { _ in }) throws -> String {
      var request = LaunchRequest(
        service: "app", generation: 1, arguments: arguments, environment: [], programs: [arguments[0]])
      change(&request)
      let kept = try KeptProcess(arguments, change: change)
      guard case .failed(let step, let error) = try kept.message() else { return "it did not fail" }
      #expect(try kept.awaitEnd() == .exited(0))
      return LaunchFailure(step: step, error: error, request: request).message
    }
    #expect(try text(["/no/such"]).hasPrefix("cannot execute \"/no/such\": No such file or directory"))
    #expect(try text(["/tmp"]).contains("it is a directory"))
    let folder = try text(["/bin/true"]) { $0.directory = "/no/such" }
    #expect(folder == "cannot change to directory \"/no/such\": No such file or directory")
  }

  @Test("outlives its program as long as anybody is left below it, however far he went")
  func strays() throws {
    let kept = try KeptProcess(script: "(setsid sh -c 'echo up; exec sleep 60' &) & read line; exit 0")
    #expect(try kept.line() == "up")
    try kept.tell("go")
    #expect(try kept.message() != .exited(.exited(0)))
    #expect(try kept.message() == .exited(.exited(0)))
    let left = kept.descendants
    #expect(left.map(\.stat.parent) == [kept.pid])
    _ = try PidFD.open(try #require(left.first).stat.identity).send(SIGKILL)
    #expect(try kept.awaitEnd() == .exited(0))
  }

  /// One who ignores SIGTERM, in a session of its own, with a child likewise.
  private static let stubborn =
    "setsid sh -c 'trap \"\" TERM HUP; sh -c \"echo up; read line; sleep 60\"; sleep 60' & read line"

  @Test("takes everybody along when the daemon is gone, and does not ask twice")
  func orphaned() throws {
    let kept = try KeptProcess(script: Self.stubborn)
    #expect(try kept.line() == "up")
    let all = kept.descendants.map(\.stat.identity)
    #expect(all.count >= 3)
    kept.letGo()
    #expect(try kept.awaitEnd() == .exited(0))
    #expect(!all.contains { ProcessTable.isAlive($0) })
  }

  @Test("sweeps on request, and goes on telling")
  func sweep() throws {
    let kept = try KeptProcess(script: Self.stubborn)
    #expect(try kept.line() == "up")
    #expect(try kept.message() != .exited(.exited(0)))
    kept.keeper?.sweep()
    #expect(try kept.message() == .exited(.signalled(SIGTERM, coreDumped: false)))
    #expect(try kept.awaitEnd() == .exited(0))
  }

  @Test("goes on after it was stopped by somebody")
  func stopped() throws {
    let kept = try KeptProcess(script: "read line")
    #expect(try kept.message() != .exited(.exited(0)))
    let identity = try #require(ProcessTable.stat(of: kept.pid)).identity
    _ = try PidFD.open(identity).send(SIGSTOP)
    try kept.keeper?.resume()
    try kept.tell("go")
    #expect(try kept.message() == .exited(.exited(0)))
  }

  @Test("is in a process group of its own: what is sent to the daemon's is not for it")
  func group() throws {
    let kept = try KeptProcess(script: "read line")
    #expect(try kept.message() != .exited(.exited(0)))
    #expect(ProcessTable.stat(of: kept.pid)?.group == kept.pid)
  }

  @Test("ends the tracer that keeps the end of the program to itself")
  func tracer() throws {
    let tracer = """
      import ctypes, os, signal, sys, time
      signal.signal(signal.SIGTERM, signal.SIG_IGN)
      seize = ctypes.CDLL(None, use_errno=True).ptrace
      seize.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
      print("traced" if seize(0x4206, int(sys.argv[1]), None, None) == 0 else "refused", flush=True)
      time.sleep(60)
      """
    let kept = try KeptProcess(script: "python3 -c \"$1\" $$ & read line; exit 3", tracer)
    let answer = try kept.line()
    try kept.tell("go")
    #expect(try kept.message() != .exited(.exited(0)))
    #expect(try kept.message() == .exited(.exited(3)), "the program was \(answer)")
    if answer == "refused" { kept.letGo() }
    #expect(try kept.awaitEnd() == .exited(0))
  }

  @Test("creates the program in the cgroup that it is given, and stays outside itself")
  func cgroup() throws {
    let own = try OwnCgroup()
    let folder = try own.group.open()
    let kept = try KeptProcess(["/bin/sh", "-c", "read line"], cgroup: folder.number)
    let main = try kept.main()
    #expect(own.group.members == [main])
    #expect(kept.keeper?.cgroupRefusal == nil)
    try kept.tell("go")
    #expect(try kept.message() == .exited(.exited(0)))
    #expect(own.group.remove() == .removed)
  }

  @Test("creates the program beside itself when the cgroup is none, and says so")
  func noCgroup() throws {
    let file = try FileDescriptor.open("/dev/null", O_RDONLY)
    let kept = try KeptProcess(["/bin/sh", "-c", "exit 3"], cgroup: file.number)
    _ = try kept.main()
    #expect(kept.keeper?.cgroupRefusal == EBADF)
    #expect(try kept.message() == .exited(.exited(3)))
  }
}
