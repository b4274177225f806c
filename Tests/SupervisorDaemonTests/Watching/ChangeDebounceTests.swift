// From events to one change: bursts, half-done saves, and what never ends.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("A burst of changes")
struct ChangeDebounceTests {
  private typealias Step = (at: Int, kind: ChangeDebounce.Kind, file: String)

  private func time(_ milliseconds: Int) -> Instant {
    Instant(nanoseconds: 1_000_000_000) + .milliseconds(milliseconds)
  }

  /// The changes that come of events, each with its time in milliseconds.
  private func run(_ steps: [Step], delay: Int = 50) -> [String] {
    var debounce = ChangeDebounce(delay: .milliseconds(delay))
    var told: [String] = []
    func fire(until now: Instant) {
      while let due = debounce.due, due <= now {
        if let change = debounce.take() {
          told.append("\(Int((due - time(0)).milliseconds)): \(change.text)")
        }
      }
    }
    for step in steps {
      fire(until: time(step.at))
      debounce.note(step.kind, step.file, at: time(step.at))
    }
    fire(until: Instant(nanoseconds: .max))
    return told
  }

  @Test("is one change, told when it was quiet for the delay")
  func one() {
    #expect(run([(0, .written, "a.py")]) == ["50: a.py changed"])
    #expect(
      run([(0, .written, "a.py"), (40, .written, "b.py"), (80, .written, "a.py")])
        == ["130: 2 files changed: a.py, b.py"])
    #expect(
      run([(0, .written, "a.py"), (51, .written, "a.py")]) == ["50: a.py changed", "101: a.py changed"])
    #expect(run([(0, .written, "a.py")], delay: 0) == ["0: a.py changed"])
  }

  @Test("names three files, and says how many there are")
  func naming() {
    let steps = (1...5).map { (at: 0, kind: ChangeDebounce.Kind.written, file: "\($0)") }
    #expect(run(steps) == ["50: 5 files changed: 1, 2, 3, …"])
    #expect(run([(0, .gone, "a.py")]) == ["250: a.py was removed"])
  }

  @Test("waits for a file that an editor moved away and writes anew, even when the disk is slow")
  func halfDone() {
    // vim: the old file becomes the backup, which does not count; the new one is written and synced.
    #expect(
      run([(0, .gone, "a.py"), (1, .begun, "a.py"), (180, .written, "a.py")]) == ["230: a.py changed"])
    #expect(run([(0, .gone, "a.py"), (2, .written, "a.py")]) == ["52: a.py changed"])
  }

  @Test("has no part for files that come and go in it, or that are not complete")
  func temporary() {
    #expect(
      run([(0, .begun, "sedX"), (1, .written, "sedX"), (2, .gone, "sedX"), (2, .written, "a.py")])
        == ["52: a.py changed"])
    #expect(run([(0, .begun, "x"), (1, .written, "x"), (2, .gone, "x")]) == [])
    #expect(run([(0, .begun, "out.log")]) == [])
    #expect(run([(0, .begun, "big.py"), (3000, .written, "big.py")]) == ["3050: big.py changed"])
  }

  @Test("is told after ten times the delay although it does not end")
  func endless() {
    let steps = (0..<40).map { (at: $0 * 40, kind: ChangeDebounce.Kind.written, file: "a.py") }
    #expect(run(steps).first == "500: a.py changed")
    #expect(run(steps).count == 4)
  }

  @Test("keeps count of more files than it can tell apart")
  func many() {
    let steps = (0..<6000).map { (at: 0, kind: ChangeDebounce.Kind.written, file: "\($0)") }
    #expect(run(steps) == ["50: 6000 files changed: 0, 1, 2, …"])
  }

  @Test("is one of unknown files when the kernel lost the events")
  func lost() {
    var debounce = ChangeDebounce(delay: .milliseconds(50))
    debounce.noteLoss(at: time(0))
    #expect(debounce.due == time(50))
    #expect(debounce.take()?.text == "too many files changed for the kernel to tell which")
    #expect(debounce.due == nil)
  }
}

@Suite("Restarts because of changes")
struct RestartLoopTests {
  /// Restarts every so many milliseconds, each so long after readiness; which of them are called a loop.
  private func told(_ count: Int, every interval: Int, ready: Int?) -> [Int] {
    var loop = RestartLoop()
    return (0..<count).filter { number in
      let now = Instant(nanoseconds: 1_000_000_000) + .milliseconds(20_000 + number * interval)
      let since = ready.map { Instant(nanoseconds: now.nanoseconds - UInt64($0) * 1_000_000) }
      return loop.noteRestart(at: now, ready: since)
    }
  }

  @Test("are a loop when five follow each other, each soon after readiness")
  func loop() {
    #expect(told(12, every: 500, ready: 300) == [4, 9])
    #expect(told(20, every: 3000, ready: 300) == [])
    #expect(told(20, every: 500, ready: 1500) == [])
    #expect(told(20, every: 500, ready: nil) == [])
  }
}
