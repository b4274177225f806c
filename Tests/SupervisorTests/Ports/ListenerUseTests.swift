// Whether a process waits for a listener, told by real processes that do and that don't.

import Glibc
import Testing

import Supervisor

@Suite("The use of a listener", .timeLimit(.minutes(5))) struct ListenerUseTests {
  private static let prelude = """
    import os, select, selectors, signal, socket
    s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
    print(s.fileno(), flush=True)

    """

  @Test(
    "shows in what a process waits for",
    arguments: [
      ("s.accept()", true), ("select.select([s], [], [])", true),
      ("e = select.epoll(); e.register(s); e.poll()", true),
      ("e = select.epoll(); e.poll()", false), ("signal.pause()", false),
      ("r, w = os.pipe(); os.read(r, 1)", false), ("r, w = os.pipe(); select.select([r], [s], [])", false),
      ("p = select.poll(); p.register(s); p.poll()", true),
      ("r, w = os.pipe(); p = select.poll(); p.register(r); p.poll()", false),
    ])
  func waiting(script: String, isPossible: Bool) throws {
    let process = try PythonProcess(Self.prelude + script)
    let descriptor = try #require(try process.numbers().first)
    let end = Clock.now() + .seconds(20)
    // It says its number before it waits: until then it runs, and that may be anything.
    while ListenerUse.isPossible(in: process.pid, on: [Int32(descriptor)]) != isPossible, Clock.now() < end {
      Clock.pause(.milliseconds(5))
    }
    #expect(ListenerUse.isPossible(in: process.pid, on: [Int32(descriptor)]) == isPossible)
  }

  @Test("is taken for granted where it can't be told", arguments: ["running", "", "-1 0x0 0x0"])
  func unknown(line: String) {
    #expect(ListenerUse.mayWait(line, for: [3], in: getpid()) == (line != "-1 0x0 0x0"))
  }
}
