// The service manager's descriptor store, sd_notify(3) FDSTORE=1: what lies there outlives the daemon.

import Supervisor

/// Keeps the listeners that the daemon opened itself in the store of its unit.
///
/// They go on listening there when the daemon dies or is restarted, and come back with the next start. What a `.socket`
/// unit opened stays with that unit.
package final class ListenerStore {
  private let sender: NotifySender

  /// The service manager needs a few microseconds to close what is taken out; it may be busy.
  private static let patience: Duration = .milliseconds(250)

  package init(sender: NotifySender) { self.sender = sender }

  /// Puts those into the store that belong there and are not in it; to be called whenever a listener was opened.
  ///
  /// Each leaves by itself when it is closed or replaced. Returns why something could not be put there.
  package func keep(_ listeners: [Listener]) -> [SystemError] {
    listeners.compactMap { listener in
      do throws(SystemError) {
        try keep(listener)
        return nil
      } catch {
        return error
      }
    }
  }

  /// Takes out what nobody has a place for.
  package func remove(_ names: [StoreName]) {
    for name in names { sender.say(name.removing) }
  }

  private func keep(_ listener: Listener) throws(SystemError) {
    guard listener.origin == .opened else { return }
    let name = listener.storeName ?? StoreName(socket: listener.socket, inode: listener.inode)
    // One that came from the store lies there already.
    if listener.storeName == nil {
      guard let descriptor = try listener.duplicate() else { return }
      sender.say(name.putting, giving: descriptor)
    }
    listener.remember(name) { [weak self] in self?.leave($0, $1) }
  }

  private func leave(_ name: StoreName, _ departure: Listener.Departure) {
    sender.say(name.removing)
    switch departure {
    // The next bind(2) may follow at once.
    case .addressNeeded: _ = sender.settle(within: Self.patience)
    case .atLeisure: break
    }
  }
}
