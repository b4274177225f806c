// Control calls and searches that are under way, each until it is answered or its client goes.

import Supervisor

/// What has to stay alive for calls that are not answered yet.
struct OpenRequests {
  private var kept: [Int: Any] = [:]
  private var nextKey = 0
  /// Calls that want to hear of progress, with the services they are about.
  private(set) var listeners: [Int: (services: Set<Int>, call: ControlCall)] = [:]

  /// A key under which something can be kept.
  mutating func newKey() -> Int {
    nextKey += 1
    return nextKey
  }

  mutating func keep(_ thing: Any, under key: Int) { kept[key] = thing }

  mutating func listen(_ services: [Int], _ call: ControlCall, under key: Int) {
    listeners[key] = (Set(services), call)
  }

  mutating func end(_ key: Int) {
    kept[key] = nil
    listeners[key] = nil
  }

  mutating func endAll() {
    kept = [:]
    listeners = [:]
  }
}
