// What the logs of all services share: the loop, the daemon's own output and log, one buffer for reading.

import CLinux
import CSystemd
import Glibc
import Supervisor

/// Shared by the logs of all services of one daemon.
package final class LogContext {
  package let log: DaemonLog
  let output: NonBlockingOutput
  let loop: EventLoop
  let place: Place
  package let colours: Colours
  let connectToJournal: (_ service: String) throws(SystemError) -> FileDescriptor
  /// 128 KiB: what one read(2) takes from a pipe, and still fits into the second-level cache.
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 4096)
  /// The longest name of a service that is written between others, in characters, for alignment.
  package var nameWidth = 0 {
    didSet { log.nameWidth = nameWidth }
  }
  /// Those who look at the console from elsewhere; nil when the output is no console.
  package let tap: ConsoleTap?
  /// Said once, not for each service.
  var saidThatJournalIsAbsent = false

  /// Where the daemon's own output goes, which decides what "no `log` key" means.
  package enum Place: Sendable { case journal, elsewhere }
  package enum Colours: Sendable { case on, off }

  package init(
    loop: EventLoop, output: NonBlockingOutput, log: DaemonLog, place: Place = .elsewhere,
    colours: Colours = .off, tap: ConsoleTap? = nil,
    connectToJournal: @escaping (String) throws(SystemError) -> FileDescriptor = LogContext.journalStream
  ) {
    self.tap = tap
    (self.loop, self.output, self.log, self.place, self.colours) = (loop, output, log, place, colours)
    self.connectToJournal = connectToJournal
  }

  deinit { buffer.deallocate() }

  /// Of the daemon's own output, for the program that takes over.
  package var unsent: NonBlockingOutput.Unsent { output.unsent }

  package func begin(with unsent: NonBlockingOutput.Unsent) { output.begin(with: unsent) }

  /// The context of a daemon: its stderr, and what its environment says about it.
  package static func standard(loop: EventLoop, threshold: LogLevel) throws(SystemError) -> LogContext {
    let number = try retrying("duplicate stderr") { cl_fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) }
    let stderr = FileDescriptor(owning: number)
    let place = place(of: stderr, journalStream: environmentValue("JOURNAL_STREAM"))
    let output = try NonBlockingOutput(stderr, loop: loop)
    let wantsColours = colours(of: output) == .on
    let style: DaemonLog.Style = place == .journal ? .prioritized : wantsColours ? .coloured : .plain
    let journal = place == .journal ? JournalSocket() : nil
    let log = DaemonLog(output: output, threshold: threshold, style: style, journal: journal)
    return LogContext(loop: loop, output: output, log: log, place: place, colours: wantsColours ? .on : .off)
  }

  /// The context of a run at a desk: standard output, a line for each event, colours on a terminal.
  package static func console(
    loop: EventLoop, threshold: LogLevel, on descriptor: CInt = STDOUT_FILENO
  ) throws(SystemError) -> LogContext {
    let number = try retrying("duplicate an output") { cl_fcntl(descriptor, F_DUPFD_CLOEXEC, 3) }
    let output = try NonBlockingOutput(FileDescriptor(owning: number), loop: loop)
    return console(loop: loop, output: output, threshold: threshold, colours: colours(of: output))
  }

  /// The same on any output.
  package static func console(
    loop: EventLoop, output: NonBlockingOutput, threshold: LogLevel, colours: Colours
  ) -> LogContext {
    let tap = ConsoleTap()
    let log = DaemonLog(output: output, threshold: threshold, style: .console(colours, tap))
    return LogContext(loop: loop, output: output, log: log, colours: colours, tap: tap)
  }

  /// Makes room for names that are going to speak.
  package func alignNames(_ names: [String]) {
    for name in names { nameWidth = max(nameWidth, min(name.count, ConsoleLine.longestPadding)) }
  }

  /// Lines that are no event: an answer to a key.
  package func show(_ lines: [String]) {
    output.write(Array(lines.map { $0 + "\n" }.joined().utf8))
  }

  /// Whether a reader wants colours, https://no-color.org.
  package static func colours(of output: NonBlockingOutput) -> Colours {
    output.isTerminal && environmentValue("NO_COLOR") == nil && environmentValue("TERM") != "dumb"
      ? .on : .off
  }

  /// Whether a descriptor is the stream that systemd connected to the journal: $JOURNAL_STREAM is its
  /// "device:inode", systemd.exec(5).
  ///
  /// The variable alone says nothing: it is inherited past redirections.
  package static func place(of descriptor: borrowing FileDescriptor, journalStream: String?) -> Place {
    guard let journalStream else { return .elsewhere }
    do throws(SystemError) {
      let status = try descriptor.status()
      return journalStream == "\(status.st_dev):\(status.st_ino)" ? .journal : .elsewhere
    } catch {
      return .elsewhere
    }
  }

  /// A stream to the journal whose lines are entries of that identifier, sd_journal_stream_fd(3).
  package static func journalStream(_ service: String) throws(SystemError) -> FileDescriptor {
    let result = sd_journal_stream_fd(service, LOG_INFO, 1)
    if result < 0 { throw SystemError("connect to the journal", code: -result) }
    return FileDescriptor(owning: result)
  }

  /// nil when it is unset or empty.
  private static func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }
}
