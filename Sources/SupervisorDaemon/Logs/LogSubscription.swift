// Those who follow the output of a service (`logs -f`). Nobody is asked whether he keeps up: a slow follower
// is bounded where his connection is.

import Supervisor

/// One who follows; it ends with `cancel()` or when this goes.
package final class LogSubscription {
  private var onLines: (([String]) -> Void)?

  init(_ onLines: @escaping ([String]) -> Void) { self.onLines = onLines }

  package func cancel() { onLines = nil }

  var isCancelled: Bool { onLines == nil }

  func put(_ lines: [String]) { onLines?(lines) }
}

/// All who follow one service.
final class LogFollowers {
  private var subscriptions: [Weak] = []
  private var lines = LineAssembly()

  init(partial: [UInt8] = []) { lines = LineAssembly(partial: partial) }

  /// What has come of a line that has not ended.
  var partial: [UInt8] { lines.partial }

  private struct Weak {
    weak var subscription: LogSubscription?
  }

  func add(_ subscription: LogSubscription) { subscriptions.append(Weak(subscription: subscription)) }

  /// Passes on the lines that are complete with these bytes.
  func put(_ bytes: UnsafeRawBufferPointer) {
    guard !subscriptions.isEmpty else { return }
    var complete: [String] = []
    lines.add(bytes) { complete.append(LogText.text(of: Array($0))) }
    tell(complete)
  }

  /// Passes on a partial line.
  func finishLine() {
    var rest: [String] = []
    lines.finish { rest = [LogText.text(of: Array($0))] }
    tell(rest)
  }

  private func tell(_ lines: [String]) {
    subscriptions.removeAll { $0.subscription?.isCancelled ?? true }
    if subscriptions.isEmpty { self.lines = LineAssembly() }
    guard !lines.isEmpty else { return }
    for follower in subscriptions { follower.subscription?.put(lines) }
  }
}
