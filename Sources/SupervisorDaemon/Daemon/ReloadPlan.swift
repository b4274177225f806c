// What a new configuration asks for, put together: the difference, the fate of the listeners, who has to be stopped
// for them. Pure: it changes nothing.

import Supervisor

/// The plan of one reload.
package struct ReloadPlan {
  package let old: Configuration
  package let new: Configuration
  package let difference: ConfigurationDifference
  package let sockets: SocketTransition

  package init(from old: Configuration, to new: Configuration, sockets: SocketTransition) {
    (self.old, self.new, self.sockets) = (old, new, sockets)
    difference = ConfigurationDifference(from: old, to: new)
  }

  /// The services with that kind of change, in their order.
  package func services(_ isWanted: (ConfigurationDifference.Change<ServiceKeyEffect>.Kind) -> Bool)
    -> [String]
  {
    difference.services.filter { isWanted($0.kind) }.map(\.name)
  }

  package func definition(of service: String) -> ServiceDefinition? {
    new.services.first { $0.name == service }
  }

  /// Services of both configurations that have to be gone before listeners can be opened: they have one that is in
  /// the way, or are to have one that waits.
  ///
  /// The others are relaunched one by one, beside listeners that are there before.
  package var stoppedForSockets: Set<String> {
    let inTheWay = Set(sockets.inTheWay.map(\.socket))
    let holding = old.services.filter { !inTheWay.isDisjoint(with: $0.sockets) }
    let waiting = new.services.filter { !sockets.waiting.isDisjoint(with: $0.sockets) }
    let both = Set(old.services.map(\.name)).intersection(new.services.map(\.name))
    return Set((holding + waiting).map(\.name)).intersection(both)
  }

  /// The difference as it is told.
  ///
  /// - Parameter rests: whether a service rests because somebody wanted that: it is not launched by a reload.
  package func changes(rests: (String) -> Bool, isClosed: (String) -> Bool) -> [ConfigurationChange] {
    let daemon = difference.daemon.map { key in
      ConfigurationChange(
        kind: .daemon, name: key.name, change: .changed, action: key.effect == .atOnce ? .apply : .nextStart)
    }
    return daemon + difference.sockets.map { change($0, isClosed: isClosed($0.name)) }
      + difference.services.map { change($0, rests: rests($0.name)) }
  }

  private func change(
    _ socket: ConfigurationDifference.Change<SocketKeyEffect>, isClosed: Bool
  ) -> ConfigurationChange {
    let told: (ConfigurationChange.Change, [String], ConfigurationChange.Action)
    let fates = sockets.fates.filter { $0.key.socket == socket.name }.map(\.value)
    let isNew = fates.contains { if case .opened = $0 { true } else { false } }
    switch socket.kind {
    case .added:
      let waits = fates.contains(.openedLater)
      told = (.added, [], isNew ? .open : waits ? .openAnew : .rename)
    case .removed:
      let isClosing = (sockets.leaving + sockets.inTheWay).contains { $0.socket == socket.name }
      told = (.removed, [], isClosing ? .close : isClosed ? .none : .rename)
    case .changed(let keys, _):
      let waits = fates.contains(.openedLater)
      told = (.changed, keys, waits ? .openAnew : isNew ? .open : fates.isEmpty ? .none : .apply)
    }
    return .init(kind: .socket, name: socket.name, change: told.0, keys: told.1, action: told.2)
  }

  private func change(
    _ service: ConfigurationDifference.Change<ServiceKeyEffect>, rests: Bool
  ) -> ConfigurationChange {
    let told: (ConfigurationChange.Change, [String], ConfigurationChange.Action)
    switch service.kind {
    case .added: told = (.added, [], definition(of: service.name)?.autostart == true ? .start : .none)
    case .removed: told = (.removed, [], .stop)
    case .changed(let keys, .relaunch): told = (.changed, keys, rests ? .apply : .relaunch)
    case .changed(let keys, .inPlace): told = (.changed, keys, .apply)
    }
    return .init(kind: .service, name: service.name, change: told.0, keys: told.1, action: told.2)
  }
}
