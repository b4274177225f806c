// The output of one service: taken from its pipe, put where the configuration says. Whether a generation
// lives is none of its business: a pipe says nothing about that.

import Glibc
import Supervisor

/// The output of one service, over all its generations.
///
/// It costs no system call and no wake-up while the service prints nothing, and no descriptor before the
/// first launch; then one for the pipe, and one for its log file or its stream to the journal.
package final class ServiceLog {
  /// Bytes that are taken in one turn, so that one service does not delay the others.
  private static let turn = 1 << 20
  /// Bytes that the pipe of a busy log file holds: fewer, longer turns.
  private static let busyPipe = 256 << 10

  private let service: String
  private let context: LogContext
  private(set) var definition: LogDefinition
  var destination: Destination?
  private var capture: Capture?
  var recent = RecentOutput()
  /// nil as long as nobody ever followed.
  var followers: LogFollowers?

  enum Destination {
    case nowhere
    case inherit(LinePrinter)
    case journal(JournalStream)
    case file(LogFile)
  }

  /// The pipe and its registration in the loop.
  private final class Capture {
    let pipe: OutputPipe
    var source: EventSource?
    var isBusy = false
    init(_ pipe: consuming OutputPipe) { self.pipe = pipe }
    // The source goes first: it watches the pipe.
    deinit { source?.cancel() }
  }

  /// Opens nothing: that is done at the first launch.
  package init(service: String, definition: LogDefinition, in context: LogContext) {
    (self.service, self.definition, self.context) = (service, definition, context)
  }

  /// Goes on with what another process handed over, from `begin()` on.
  package init(
    restoring snapshot: Snapshot, service: String, definition: LogDefinition, in context: LogContext
  ) {
    (self.service, self.definition, self.context) = (service, definition, context)
    recent = RecentOutput(restoring: snapshot.recent.bytes)
    if let partial = snapshot.followed { followers = LogFollowers(partial: partial.bytes) }
    destination = snapshot.destination?.restored(service, definition, context)
    capture = snapshot.pipe.map { Capture(OutputPipe(FileDescriptor(owning: $0))) }
  }

  /// The number of the pipe's descriptor, from the first launch on.
  var pipe: CInt? { capture?.pipe.number }

  /// What becomes fd 1 and 2 of the next generation.
  ///
  /// Throws what keeps the output from going where it should, and a person has to mend: a folder that is not
  /// there, a file that may not be written. A disk that is full does not.
  package func descriptorForLaunch() throws(SystemError) -> FileDescriptor {
    if destination == nil { destination = chosen() }
    recent.mark()
    switch destination {
    case .nowhere, nil: return try FileDescriptor.open("/dev/null", O_WRONLY)
    case .file(let file): try file.prepare()
    case .inherit, .journal: break
    }
    if let capture { return try capture.pipe.writeEnd() }
    let capture = try startCapture(try OutputPipe())
    self.capture = capture
    return try capture.pipe.writeEnd()
  }

  /// The reading end, for a keeper to keep; nil when there is none.
  package var readingEnd: CInt? { capture?.pipe.number }

  /// Goes on with the output of a generation that another daemon launched: what waits in the pipe is taken, too.
  package func takeOver(_ pipe: consuming FileDescriptor) throws(SystemError) {
    if destination == nil { destination = chosen() }
    capture = try startCapture(OutputPipe(pipe))
    if case .file(let file) = destination { try file.prepare() }
  }

  /// Takes what is in the pipe at this moment and ends a partial line: called when a generation is over.
  package func drainNow() {
    take(atMost: Self.turn)
    switch destination {
    case .inherit(let printer): printer.finishLine()
    case .journal(let stream): stream.finishLine()
    case .file(let file): file.finishLine()
    case .nowhere, nil: break
    }
    followers?.finishLine()
    recent.finishLine()
  }

  /// The last lines, the partial one included: at most `count` and what 64 KiB hold, or 1 MiB of a file.
  ///
  /// Invalid UTF-8 is repaired, colours are removed, other control characters visible.
  package func recentLines(_ count: Int) -> [String] {
    if case .file(let file) = destination { return file.lines(count) }
    if destination == nil, case .file(let file) = definition { return LogTail(file).lines(count) }
    return recent.lines(count)
  }

  /// The same of the generation that runs or ran last, as far as it is in memory; of a file its end.
  package func lastLines(_ count: Int) -> [String] {
    if case .file = destination { return recentLines(count) }
    return recent.newerLines(count)
  }

  /// A person has read its lines already: they are on the terminal where the daemon's own log is.
  var isOnConsole: Bool {
    guard context.tap != nil, case .inherit = destination else { return false }
    return true
  }

  /// Calls back with every line from here on, until the subscription is cancelled or gone.
  package func follow(_ onLines: @escaping ([String]) -> Void) -> LogSubscription {
    let subscription = LogSubscription(onLines)
    let followers = self.followers ?? LogFollowers()
    followers.add(subscription)
    self.followers = followers
    return subscription
  }

  /// What comes from the next launch on goes elsewhere; the pipe, its readers and the last lines stay.
  package func redefine(_ definition: LogDefinition) {
    guard definition != self.definition else { return }
    drainNow()
    self.definition = definition
    destination = nil
  }

  /// Goes on in the file that is at the configured path now, after somebody moved the old one.
  package func reopen() {
    if case .file(let file) = destination { file.reopen() }
  }

  private func chosen() -> Destination {
    switch definition {
    case .none: .nowhere
    case .inherit: .inherit(LinePrinter(service: service, in: context))
    case .file(let file): .file(LogFile(file, service: service, log: context.log))
    case .journal: journalOrInherit()
    case .standard:
      switch context.place {
      case .journal: journalOrInherit()
      case .elsewhere: .inherit(LinePrinter(service: service, in: context))
      }
    }
  }

  private func journalOrInherit() -> Destination {
    do throws(SystemError) {
      return .journal(try JournalStream(service: service, in: context))
    } catch {
      if !context.saidThatJournalIsAbsent {
        context.saidThatJournalIsAbsent = true
        context.log.log(.warning, service: service, "\(error); output goes to the daemon's own output")
      }
      return .inherit(LinePrinter(service: service, in: context))
    }
  }

  /// Takes output from here on, when it was restored.
  package func begin() throws(SystemError) {
    if let capture { try watch(capture) }
  }

  private func startCapture(_ pipe: consuming OutputPipe) throws(SystemError) -> Capture {
    let capture = Capture(pipe)
    try watch(capture)
    return capture
  }

  private func watch(_ capture: Capture) throws(SystemError) {
    capture.source = try context.loop.watch(capture.pipe.number, priority: .logs) { [weak self] _ in
      self?.take(atMost: Self.turn)
    }
  }

  private func take(atMost limit: Int) {
    guard let capture else { return }
    var left = limit
    while left > 0 {
      do throws(SystemError) {
        let got = try capture.pipe.read(into: context.buffer)
        if got > 0 { put(UnsafeRawBufferPointer(rebasing: context.buffer[..<got]), capture) }
        // Less than was asked for: the pipe is empty, and the loop tells when it no longer is.
        if got < context.buffer.count { return }
        left -= got
      } catch {
        preconditionFailure("the output of \(service): \(error)")
      }
    }
  }

  private func put(_ bytes: UnsafeRawBufferPointer, _ capture: Capture) {
    switch destination {
    case .inherit(let printer):
      recent.add(bytes)
      printer.write(bytes)
    case .journal(let stream):
      recent.add(bytes)
      stream.write(bytes)
    case .file(let file):
      file.append(bytes)
      if !capture.isBusy, bytes.count >= 48 << 10 {
        capture.isBusy = true
        capture.pipe.grow(to: Self.busyPipe)
      }
    case .nowhere, nil: break
    }
    followers?.put(bytes)
  }
}
