// Before a program takes over, it has to show in a child that it can read the state: off the loop, with a time limit.

import CLinux
import Glibc
import Supervisor

/// One rehearsal, until the child said that it can, or that it can't.
package final class Rehearsal {
  package typealias Outcome = Result<String, HandoverError>

  package let pid: Int32
  private let program: String
  private let token: String
  private let loop: EventLoop
  private let process: PidFD
  private let answer: FileDescriptor
  private let complaints: FileDescriptor
  private let onEnd: (Outcome) -> Void
  private var source: EventSource?
  private var timer: EventSource?
  private var phase = Phase.underWay

  private enum Phase { case underWay, over }

  package static let patience: Duration = .seconds(5)
  package static let option = "--rehearse"
  /// Where the child finds the state.
  private static let stateNumber = 3
  /// Bytes of an answer that are read.
  private static let answerLimit = 4096
  /// Characters of a version.
  private static let versionLimit = 40
  /// Characters of its complaints that are told.
  private static let toldLimit = 400

  /// Executes the program as a child, which the caller reaps.
  ///
  /// - Parameter onEnd: called once, from the loop: the version of the program, or why it can't take over.
  package init(
    of program: String, state: borrowing FileDescriptor, token: String, devNull: CInt, loop: EventLoop,
    onEnd: @escaping (Outcome) -> Void
  ) throws(HandoverError) {
    (self.program, self.token, self.loop, self.onEnd) = (program, token, loop, onEnd)
    do throws(SystemError) {
      let output = try FileDescriptor.pipe()
      let errors = try FileDescriptor.pipe()
      let descriptors = [devNull, output.writing.number, errors.writing.number, state.number]
      var pid: pid_t = 0
      let arguments = ["fdsupervisord", Self.option, String(Self.stateNumber)]
      let code = withCStringArray(arguments) {
        cl_spawn(program, $0, descriptors, Int32(descriptors.count), &pid)
      }
      if code != 0 { throw SystemError("execute", program, code: code) }
      self.pid = pid
      answer = try output.reading.duplicate()
      complaints = try errors.reading.duplicate()
      // Nobody else reaps meanwhile: the number still is our child's.
      process = PidFD(
        owning: FileDescriptor(owning: try retrying("open process", "\(pid)") { cl_pidfd_open(pid) }),
        pid: pid)
      source = try loop.watch(process.descriptor.number, priority: .processes) { [weak self] _ in
        self?.ended()
      }
      timer = try loop.timer(at: Clock.now() + Self.patience) { [weak self] in self?.timeIsOver() }
    } catch { throw HandoverError("\(error); the daemon goes on as it is") }
  }

  deinit {
    source?.cancel()
    if phase == .underWay { endTree() }
  }

  private func ended() {
    let text = Self.read(answer)
    let words = text.split(separator: "\n").last?.split(separator: " ") ?? []
    if words.count == 2, words[0] == token {
      return finish(.success(ProcessTable.printable(String(words[1].prefix(Self.versionLimit)))))
    }
    finish(.failure(HandoverError("\(program) cannot take over: \(complaint); the daemon goes on as it is")))
  }

  private func timeIsOver() {
    endTree()
    let text = "\(program) did not say within \(Self.patience.text) that it can take over"
    finish(.failure(HandoverError("\(text); the daemon goes on as it is")))
  }

  /// The end of what it wrote to stderr, on one line.
  private var complaint: String {
    let lines = Self.read(complaints).split(separator: "\n").map { $0.drop { $0 == " " } }
    let text = ProcessTable.printable(lines.joined(separator: " | "))
    if text.isEmpty { return "it ended without saying that it can" }
    return text.count > Self.toldLimit ? "…" + text.suffix(Self.toldLimit) : text
  }

  /// With whatever it started.
  private func endTree() {
    let sweeper = Sweeper(loop: loop) { _ in }
    let pid = pid
    _ = sweeper.killAll(main: nil) { Descendants.visit(.including([pid]), $0) }
    withExtendedLifetime(sweeper) {}
  }

  private func finish(_ outcome: Outcome) {
    guard phase == .underWay else { return }
    phase = .over
    source?.cancel()
    timer = nil
    onEnd(outcome)
  }

  /// What is in a pipe by now.
  private static func read(_ pipe: borrowing FileDescriptor) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: answerLimit)
    do throws(SystemError) {
      while bytes.count < 64 << 10 {
        let got = try buffer.withUnsafeMutableBufferPointer { room throws(SystemError) in
          try pipe.read(into: UnsafeMutableRawBufferPointer(room))
        }
        if got == 0 { break }
        bytes += buffer[..<got]
      }
    } catch {
      // EAGAIN: somebody still has the other end; what is there counts.
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension Rehearsal {
  /// The child's part: its answer, or why it can't take over.
  package static func perform(_ state: CInt) throws(HandoverError) -> String {
    let state = try StateFile.read(state)
    try state.checkKeepers()
    _ = try state.configuration()
    return "\(state.token) \(Product.version)\n"
  }
}
