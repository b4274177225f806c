// Services that would wait for each other.

import Supervisor

struct DependencyCycles {
  private let edges: [String: [Located<String>]]
  private let order: [String]
  private let diagnostics: Diagnostics
  private var state: [String: State] = [:]

  private enum State { case onPath, done }

  /// A service on the path from where the search started, and how many of its edges were followed.
  private struct Step {
    let name: String
    var followed = 0
  }

  init(_ draft: ConfigurationDraft, _ diagnostics: Diagnostics) {
    self.diagnostics = diagnostics
    self.order = draft.services.map(\.name.value)
    self.edges = Dictionary(draft.services.map { ($0.name.value, Self.edges(of: $0)) }) { first, _ in first }
  }

  /// A service that is in both lists is waited for once.
  private static func edges(of service: ServiceDraft) -> [Located<String>] {
    let after = Set(service.after.map(\.value))
    return service.after + service.requires.filter { !after.contains($0.value) }
  }

  /// Reports cycles of `after` and `requires`, each at the reference that closes it.
  mutating func run() {
    for name in order where state[name] == nil { search(from: name) }
  }

  /// Depth first; with a path of its own, because a chain may be longer than the stack is deep.
  private mutating func search(from start: String) {
    var path = [Step(name: start)]
    state[start] = .onPath
    while let step = path.last {
      let next = edges[step.name, default: []]
      guard step.followed < next.count else {
        state[step.name] = .done
        path.removeLast()
        continue
      }
      path[path.count - 1].followed += 1
      let target = next[step.followed]
      switch state[target.value] {
      case .done: continue
      case .onPath: report(path.map(\.name), closedBy: target)
      case nil:
        state[target.value] = .onPath
        path.append(Step(name: target.value))
      }
    }
  }

  private func report(_ path: [String], closedBy target: Located<String>) {
    let cycle = path.drop { $0 != target.value } + [target.value]
    diagnostics.error("dependency cycle: " + cycle.map(escaped).joined(separator: " → "), at: target.span)
  }
}
