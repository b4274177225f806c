// The console's lines for those who look at it from elsewhere: the last ones, and every one that comes.

import Supervisor

/// Everything that a console shows, for attached views.
package final class ConsoleTap {
  /// Lines that a new view begins with.
  package static let remembered = 200

  private var recent: [ConsoleLine] = []
  private var subscriptions: [Int: ([ConsoleLine]) -> Void] = [:]
  private var nextKey = 0

  package init() {}

  /// The last lines, at most `count`.
  package func last(_ count: Int) -> [ConsoleLine] {
    Array(recent.suffix(max(0, min(count, Self.remembered))))
  }

  /// Calls back with every line from here on, until `cancel` with this key.
  package func subscribe(_ onLines: @escaping ([ConsoleLine]) -> Void) -> Int {
    nextKey += 1
    subscriptions[nextKey] = onLines
    return nextKey
  }

  package func cancel(_ key: Int) { subscriptions[key] = nil }

  func put(_ lines: [ConsoleLine]) {
    guard !lines.isEmpty else { return }
    recent.append(contentsOf: lines.suffix(Self.remembered))
    // Half as many more are let stand, so that a line is moved once and not with every one that comes.
    if recent.count > Self.remembered * 3 / 2 { recent.removeFirst(recent.count - Self.remembered) }
    for key in subscriptions.keys.sorted() { subscriptions[key]?(lines) }
  }
}
