// The control socket over the replacement of the daemon: nobody is disconnected, and nobody refused.

import Supervisor

extension ControlServer {
  /// The socket and everybody who is connected, with the numbers of their descriptors.
  package struct Snapshot: Hashable, Sendable, Codable {
    package var socket: ControlSocket.Snapshot
    var connections: [ControlConnection.Snapshot]
    var nextID: UInt64

    package var descriptors: [CInt] { [socket.descriptor] + connections.map(\.descriptor) }
  }

  /// Valid from `hold` on.
  package var snapshot: Snapshot {
    Snapshot(
      socket: socket.snapshot,
      connections: connections.values.compactMap(\.snapshot).sorted { $0.id < $1.id },
      nextID: nextID)
  }

  /// Begins no call any more: what clients send waits in the kernel, or goes along.
  ///
  /// A call in progress that can't go along is answered with an error; its connection stays.
  package func hold(keeping: (ControlCall) -> Bool, telling message: String) {
    work = .held
    setAccepting(.off)
    for connection in connections.values {
      guard let call = connection.call, !keeping(call) else { continue }
      call.fail(.failed, message)
      call.clientLeft()
    }
  }

  /// Those in progress.
  package var calls: [ControlCall] { connections.values.compactMap(\.call) }

  /// Goes on after `hold`: the daemon was not replaced.
  package func release() {
    work = .ordinary
    setAccepting(.on)
    for connection in Array(connections.values) { connection.resume() }
  }

  func restore(_ snapshot: Snapshot) {
    nextID = snapshot.nextID
    for one in snapshot.connections {
      connections[one.id] = ControlConnection(restoring: one, loop: loop, limits: limits, owner: self)
    }
  }

  /// Serves from here on, when it was restored; returns the calls that came along.
  package func begin() throws(SystemError) -> [ControlCall] {
    try accept()
    var calls: [ControlCall] = []
    for connection in connections.values.sorted(by: { $0.id < $1.id }) {
      if let call = try connection.takeUp() { calls.append(call) }
    }
    return calls
  }
}
