// How much one client, and all of them together, may cost the daemon.

import Supervisor

package struct ControlLimits: Hashable, Sendable {
  /// Connections at a time.
  ///
  /// One more takes the place of the oldest that has no call in progress.
  package var connections = 128
  /// The longest call, in bytes.
  package var messageBytes = Wire.longestCall
  /// What may wait to be read by one client, in bytes.
  package var outputBytes = 4 << 20
  /// While more than this waits to be read, no further call of that client is begun, in bytes.
  package var outputBeforeNextCall = 64 << 10
  /// How long a message may take from its first byte to its last.
  package var halfMessage = Duration.seconds(10)
  /// How long a client may leave output unread.
  package var unread = Duration.seconds(30)
  /// Calls of one client in a row before others get their turn.
  package var callsInARow = 16
  /// Connections accepted in a row before others get their turn.
  package var acceptsInARow = 32
  /// How long to leave the listener alone when the machine has no descriptors or memory for one more connection.
  package var acceptPause = Duration.seconds(1)

  package init() {}
}
