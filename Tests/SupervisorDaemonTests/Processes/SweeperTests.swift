// The hands of a sweep on real processes.

import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A sweeper", .timeLimit(.minutes(5)))
struct SweeperTests {
  @Test("meets parents before their children, however they hide")
  func order() throws {
    let kept = try KeptProcess(script: "setsid sh -c 'sh -c \"echo up; exec sleep 60\"; :' & read line")
    #expect(try kept.line() == "up")
    let met = kept.descendants
    #expect(met.map(\.depth) == [0, 1, 2])
    #expect(met[1].stat.parent == met[0].stat.pid)
    #expect(met[2].stat.parent == met[1].stat.pid)
  }

  @Test("ends a tree whose members bring each other back")
  func watchdogs() throws {
    // Each ignores SIGTERM, and starts the other again when he ends.
    let other = "trap '' TERM HUP; echo up; while :; do setsid sh -c \"$0\" \"$0\"; done"
    let kept = try KeptProcess(
      script: "setsid sh -c \"$1\" \"$1\" & read line", "trap '' TERM HUP; echo up; sleep 60 & wait; " + other
    )
    #expect(try kept.line() == "up")
    try kept.message()
    try kept.tell("go")
    #expect(try kept.message() == .exited(.exited(0)))
    let sweeper = Sweeper(loop: kept.loop) { _ in }
    var rounds = 0
    while !kept.descendants.isEmpty, rounds < 1000 {
      let round = sweeper.killAll(main: kept.keeper?.main) { Descendants.visit(.below(kept.pid), $0) }
      #expect(round.refusals.isEmpty)
      rounds += 1
    }
    #expect(try kept.awaitEnd() == .exited(0))
  }

  @Test("tells when one whom it signalled ends")
  func exit() throws {
    let kept = try KeptProcess(script: "exec sleep 60")
    let pid = try kept.main()
    var ended: [Int32] = []
    let sweeper = Sweeper(loop: kept.loop) { ended.append($0) }
    #expect(sweeper.terminate([try #require(ProcessTable.stat(of: pid)).identity]).isEmpty)
    while ended.isEmpty { _ = try kept.loop.turn(atMost: .seconds(20)) }
    #expect(ended == [pid])
  }

  @Test("is no longer told of anybody after its end, even while a fork has copies of its descriptors")
  func copies() async {
    // In a process of its own: a registration that outlives its source ends the program.
    await #expect(processExitsWith: .success) {
      let kept = try KeptProcess(script: "exec sleep 60")
      let pid = try kept.main()
      let identity = try #require(ProcessTable.stat(of: pid)).identity
      var sweeper: Sweeper? = Sweeper(loop: kept.loop) { _ in }
      let before = numbersInUse()
      _ = sweeper?.terminate([ProcessIdentity(pid: identity.pid, startTime: identity.startTime)])
      let copies = numbersInUse().subtracting(before).map { dup($0) }
      #expect(!copies.isEmpty)
      sweeper = nil
      #expect(try kept.message() == .exited(.signalled(SIGTERM, coreDumped: false)))
      _ = try kept.loop.turn(atMost: .milliseconds(50))
      for copy in copies { close(copy) }
    }
  }
}

private func numbersInUse() -> Set<CInt> {
  Set((0..<1024).filter { cl_fcntl($0, F_GETFD, 0) != -1 })
}
