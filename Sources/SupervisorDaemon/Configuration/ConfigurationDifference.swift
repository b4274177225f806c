// What is different between two configurations, and what that asks for. Pure: it changes nothing.

import Supervisor

/// The way from one configuration to another.
package struct ConfigurationDifference: Hashable, Sendable {
  /// Keys of [daemon] whose values differ.
  package private(set) var daemon: [DaemonKey] = []
  /// Those that were added or changed in the order of the new configuration, then those that were removed.
  package private(set) var sockets: [Change<SocketKeyEffect>] = []
  package private(set) var services: [Change<ServiceKeyEffect>] = []

  package struct DaemonKey: Hashable, Sendable {
    package var name: String
    package var effect: DaemonKeyEffect

    package init(name: String, effect: DaemonKeyEffect) {
      self.name = name
      self.effect = effect
    }
  }

  /// One definition that is new, gone or different.
  package struct Change<Effect: Hashable & Sendable>: Hashable, Sendable {
    package var name: String
    package var kind: Kind

    package init(name: String, kind: Kind) {
      self.name = name
      self.kind = kind
    }

    package enum Kind: Hashable, Sendable {
      case added
      case removed
      /// With the names of the keys that differ, in the order of the manual.
      case changed(keys: [String], Effect)
    }
  }

  package var isEmpty: Bool { daemon.isEmpty && sockets.isEmpty && services.isEmpty }

  package init(from old: Configuration, to new: Configuration) {
    daemon = DaemonDefinition.keys.filter { $0.differs(old.daemon, new.daemon) }
      .map { DaemonKey(name: $0.name, effect: $0.effect) }
    sockets = Self.changes(from: old.sockets, to: new.sockets, name: \.name, Self.changed)
    let moved = Set(
      sockets.compactMap { change -> String? in
        if case .changed(_, .openAnew) = change.kind { change.name } else { nil }
      })
    services = Self.changes(from: old.services, to: new.services, name: \.name) {
      Self.changed($0, $1, moved: moved)
    }
  }

  private static func changes<Definition: Hashable, Effect>(
    from old: [Definition], to new: [Definition], name: KeyPath<Definition, String>,
    _ changed: (Definition, Definition) -> Change<Effect>.Kind?
  ) -> [Change<Effect>] {
    let before = Dictionary(uniqueKeysWithValues: old.map { ($0[keyPath: name], $0) })
    let after = Set(new.map { $0[keyPath: name] })
    let present = new.compactMap { definition -> Change<Effect>? in
      let name = definition[keyPath: name]
      guard let known = before[name] else { return Change(name: name, kind: .added) }
      return changed(known, definition).map { Change(name: name, kind: $0) }
    }
    let gone = old.map { $0[keyPath: name] }.filter { !after.contains($0) }
    return present + gone.map { Change(name: $0, kind: .removed) }
  }

  private static func changed(
    _ old: SocketDefinition, _ new: SocketDefinition
  ) -> Change<SocketKeyEffect>.Kind? {
    let options = new.options.differences(from: old.options)
    if old.addresses != new.addresses { return .changed(keys: ["listen"] + options.keys, .openAnew) }
    return options.keys.isEmpty ? nil : .changed(keys: options.keys, options.effect)
  }

  /// - Parameter moved: sockets whose listeners are other ones afterwards.
  private static func changed(
    _ old: ServiceDefinition, _ new: ServiceDefinition, moved: Set<String>
  ) -> Change<ServiceKeyEffect>.Kind? {
    let differing = ServiceDefinition.keys.filter { $0.differs(old, new) }
    let sockets = new.socketsInUse.filter(moved.contains).map { "socket.\($0)" }
    if differing.isEmpty, sockets.isEmpty {
      // A property that the table does not know: the safe side.
      return old == new ? nil : .changed(keys: [], .relaunch)
    }
    let isRelaunched = !sockets.isEmpty || differing.contains { $0.effect == .relaunch }
    return .changed(keys: differing.map(\.name) + sockets, isRelaunched ? .relaunch : .inPlace)
  }
}

extension ServiceDefinition {
  /// The sockets that it is given, or told of by a placeholder, each once.
  package var socketsInUse: [String] {
    var names = sockets
    for text in command + environment.map(\.value) {
      names += Placeholder.all(in: text).map(\.name)
    }
    var seen: Set<String> = []
    return names.filter { seen.insert($0).inserted }
  }
}
