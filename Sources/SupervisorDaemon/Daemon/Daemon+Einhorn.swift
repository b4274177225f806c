// Workers that know Einhorn's convention acknowledge that they serve.

import Supervisor

extension Daemon {
  /// Where a service of this definition acknowledges; the socket is there from the first that does.
  func einhornPath(for definition: ServiceDefinition) throws(SystemError) -> String? {
    guard definition.pass.variables == .einhorn, !definition.sockets.isEmpty else { return nil }
    if let einhorn { return einhorn.path }
    guard let control = control?.snapshot.socket.path else { return nil }
    let socket = try EinhornSocket(loop: loop, path: control + ".einhorn") { [weak self] in
      self?.acknowledged($0)
    }
    einhorn = socket
    return socket.path
  }

  /// Goes on with the one of the program before.
  func restoreEinhorn(_ snapshot: EinhornSocket.Snapshot) throws(SystemError) {
    einhorn = try EinhornSocket(restoring: snapshot, loop: loop) { [weak self] in self?.acknowledged($0) }
  }

  /// Counts like READY=1, and only from a service's own descendants.
  private func acknowledged(_ pid: Int32) {
    notified(NotifySocket.Message(pid: pid, fields: ["READY=1"]))
  }
}
