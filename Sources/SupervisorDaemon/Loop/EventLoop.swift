// sd-event in Swift: one thread, callbacks, nothing that polls. Knows no service.

import CLinux
import CSystemd
import Glibc
import Supervisor

/// The event loop of the daemon, sd-event(3).
///
/// Handlers run one after the other on the thread that calls `run()`. A handler never unregisters itself by
/// failing: it returns nothing, and a source ends only when its `EventSource` goes.
package final class EventLoop {
  private let event: OpaquePointer

  package init() throws(SystemError) {
    var event: OpaquePointer?
    let result = sd_event_new(&event)
    guard result >= 0, let event else { throw SystemError("create the event loop", code: -result) }
    self.event = event
  }

  deinit { sd_event_unref(event) }

  /// Runs until `exit(_:)`; returns its status.
  package func run() throws(SystemError) -> Int32 {
    let result = sd_event_loop(event)
    if result < 0 { throw SystemError("run the event loop", code: -result) }
    return result
  }

  /// Waits for one event, at most so long, and handles it; false when none came, sd_event_run(3).
  package func turn(atMost limit: Duration) throws(SystemError) -> Bool {
    let result = sd_event_run(event, limit.wholeNanoseconds / 1000)
    if result < 0 { throw SystemError("run the event loop", code: -result) }
    return result > 0
  }

  /// Ends `run()` after the handler that is running now.
  package func exit(_ status: Int32) { _ = sd_event_exit(event, status) }

  /// Smaller numbers go first when several are ready.
  package enum Priority: Int64 {
    /// What keepers and children say.
    case processes = -20
    case normal = 0
    /// When nothing of the above waits: a signal that was read and not yet handled is nowhere but in this process.
    case replacement = 10
    /// Output of services: it never delays a decision.
    case logs = 20
  }

  /// What to wait for on a descriptor, epoll_ctl(2).
  package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package static let reading = Interest(rawValue: 1)  // EPOLLIN
    package static let writing = Interest(rawValue: 4)  // EPOLLOUT
    package static let failed = Interest(rawValue: 8)  // EPOLLERR, always reported
    package static let hungUp = Interest(rawValue: 16)  // EPOLLHUP, always reported
    package static let edgeTriggered = Interest(rawValue: 1 << 31)  // EPOLLET
  }

  /// Watches a descriptor, which has to stay open until the source is cancelled.
  ///
  /// Stored properties go in the order of their declaration: whoever owns both cancels the source in `deinit`.
  /// Closing first is not enough to end a registration while a child that was just forked has a copy of the
  /// descriptor (epoll(7), Q6): events would come for a source that is no more.
  package func watch(
    _ descriptor: CInt, for interest: Interest = .reading, priority: Priority = .normal,
    _ handler: @escaping (Interest) -> Void
  ) throws(SystemError) -> EventSource {
    let box = EventSource.Box(onReady: handler)
    var source: OpaquePointer?
    let result = sd_event_add_io(
      event, &source, descriptor, interest.rawValue,
      { _, _, revents, context in
        EventSource.Box.from(context).onReady(Interest(rawValue: revents))
        return 0
      }, box.context)
    return try EventSource(source, box, result, priority, "watch a descriptor")
  }

  /// Calls the handler once, at that time or as soon after it as possible.
  package func timer(
    at instant: Instant, priority: Priority = .normal, _ handler: @escaping () -> Void
  ) throws(SystemError) -> EventSource {
    let box = EventSource.Box(onReady: { _ in handler() })
    var source: OpaquePointer?
    // Accuracy 1 µs: a timer is armed only while something is under way, so there is nothing to coalesce.
    let result = sd_event_add_time(
      event, &source, CLOCK_MONOTONIC, instant.nanoseconds / 1000 + (instant.nanoseconds % 1000 == 0 ? 0 : 1),
      1,
      { _, _, context in
        EventSource.Box.from(context).onReady([])
        return 0
      }, box.context)
    return try EventSource(source, box, result, priority, "set a timer")
  }

  /// Handles a signal, which is blocked from here on and read from a signalfd.
  package func signal(
    _ number: Int32, priority: Priority = .normal, _ handler: @escaping () -> Void
  ) throws(SystemError) -> EventSource {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, number)
    if sigprocmask(SIG_BLOCK, &set, nil) == -1 { throw SystemError("block", SignalName.of(number)) }
    let box = EventSource.Box(onReady: { _ in handler() })
    var source: OpaquePointer?
    let result = sd_event_add_signal(
      event, &source, number,
      { _, _, context in
        EventSource.Box.from(context).onReady([])
        return 0
      }, box.context)
    return try EventSource(source, box, result, priority, "handle \(SignalName.of(number))")
  }

  /// Tells systemd at half its interval that the loop turns, sd_event_set_watchdog(3), if it asked for that.
  ///
  /// A loop that is stuck tells nothing, and is restarted.
  package func feedWatchdog() throws(SystemError) {
    let result = sd_event_set_watchdog(event, 1)
    if result < 0 { throw SystemError("feed the watchdog of systemd", code: -result) }
  }

  /// Calls the handler once, after the handler that is running now.
  package func soon(
    priority: Priority = .normal, _ handler: @escaping () -> Void
  ) throws(SystemError) -> EventSource {
    let box = EventSource.Box(onReady: { _ in handler() })
    var source: OpaquePointer?
    let result = sd_event_add_defer(
      event, &source,
      { _, context in
        EventSource.Box.from(context).onReady([])
        return 0
      }, box.context)
    return try EventSource(source, box, result, priority, "defer a call")
  }
}

/// One registration in the loop; it ends when this goes, or with `cancel()`.
package final class EventSource {
  private var source: OpaquePointer?
  private let box: Box

  init(
    _ source: OpaquePointer?, _ box: Box, _ result: Int32, _ priority: EventLoop.Priority, _ operation: String
  ) throws(SystemError) {
    guard result >= 0, let source else { throw SystemError(operation, code: -result) }
    self.source = source
    self.box = box
    sd_event_source_set_priority(source, priority.rawValue)
  }

  deinit { cancel() }

  /// Changes what a watched descriptor is waited for.
  package func setInterest(_ interest: EventLoop.Interest) {
    if let source { sd_event_source_set_io_events(source, interest.rawValue) }
  }

  /// Stops or resumes without forgetting the registration.
  package func setEnabled(_ enabled: Enabled) {
    if let source {
      sd_event_source_set_enabled(source, enabled == .on ? Int32(SD_EVENT_ON) : Int32(SD_EVENT_OFF))
    }
  }

  package enum Enabled { case on, off }

  /// Ends the registration.
  ///
  /// The handler may be running: it is kept until it returns.
  package func cancel() {
    guard let source = source.take() else { return }
    sd_event_source_set_enabled(source, Int32(SD_EVENT_OFF))
    sd_event_source_unref(source)
  }

  /// What sd-event hands back to the callback.
  final class Box {
    let onReady: (EventLoop.Interest) -> Void

    init(onReady: @escaping (EventLoop.Interest) -> Void) { self.onReady = onReady }

    var context: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    /// Retained for the time of the call, so that a handler may drop its own source.
    static func from(_ context: UnsafeMutableRawPointer?) -> Box {
      guard let context else { preconditionFailure("sd-event lost the context of a source") }
      return Unmanaged<Box>.fromOpaque(context).takeUnretainedValue()
    }
  }
}
