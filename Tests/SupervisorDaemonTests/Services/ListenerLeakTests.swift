// Who is to blame for an inherited listener, and who is not.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A descendant with a listener")
struct ListenerLeakTests {
  private func process(
    _ pid: Int32, below parent: Int32, _ program: String?, holds: Bool = true, uses: Bool = false
  ) -> ListenerHolder {
    ListenerHolder(pid: pid, parent: parent, program: program, holds: holds, uses: uses)
  }

  @Test("leaks it when it does something else than serving")
  func leak() {
    let tree = [process(2, below: 1, "flask", uses: true), process(3, below: 2, "sleep")]
    #expect(ListenerLeak.find(in: tree, main: 2) == [3])
  }

  @Test("is a worker when it executes what the main process or somebody who serves executes")
  func worker() {
    let tree = [
      process(2, below: 1, "gunicorn"), process(3, below: 2, "gunicorn", uses: true),
      process(4, below: 2, "gunicorn"),
      process(5, below: 2, "sh"), process(6, below: 5, "node", uses: true), process(7, below: 6, "node"),
    ]
    #expect(ListenerLeak.find(in: tree, main: 2).isEmpty)
  }

  @Test("is not to blame while nobody serves: it may be the one who will")
  func starting() {
    let tree = [process(2, below: 1, "npm"), process(3, below: 2, "sh"), process(4, below: 3, "node")]
    #expect(ListenerLeak.find(in: tree, main: 2).isEmpty)
  }

  @Test("does not leak what it does not hold, and what cannot be looked into is not blamed")
  func nothingHeld() {
    let tree = [
      process(2, below: 1, "flask", uses: true), process(3, below: 2, "sleep", holds: false),
      process(4, below: 2, nil),
    ]
    #expect(ListenerLeak.find(in: tree, main: 2).isEmpty)
  }
}
