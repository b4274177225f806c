// What a service's machine wants done: small imperatives, in order. The daemon carries them out.

import Supervisor

package enum ServiceEffect: Hashable, Sendable {
  /// Look at /proc, at the socket table and at the listeners; answer with `verified`, at once.
  case verify
  /// Launch this generation. Always the effect right after a clean `verified`.
  case launch(generation: Int)
  /// Signal the main process through its pidfd.
  case signalMain(Int32)
  /// See who is left of the generation; answer with `scanned`, at once.
  case scan
  /// SIGTERM and SIGCONT to each of the strays, and tell when they exit.
  case terminateStrays([Stray])
  /// Tell when they exit: they had their SIGTERM from a daemon that is no more.
  case watchStrays([Stray])
  /// Stop everybody who is left so that nobody can fork, then SIGKILL; answer with `scanned`, at once.
  case killStrays
  /// The same, sparing these and those below them, and each by itself.
  case killStraysBut([ProcessIdentity])
  /// Take the guarded ports from strays that may live on; answer with `parted`, at once.
  case takePorts([Stray])
  /// The generation is over: its keeper stays above those who live on, and is no more than reaped when it ends.
  case retain(generation: Int, [RelaunchReport.StrayRecord])
  /// See whether the guarded ports listen; answer with `probed`, at once.
  case probePorts
  /// Fire once at that time; replaces the timer before.
  case arm(Instant)
  case disarm
  /// Find out who has the guarded ports, off the loop; answer with `occupantsNamed`.
  case nameOccupants
  /// Tell when one of them exits, until `forgetOccupants`.
  case watchOccupants([Occupant])
  case forgetOccupants
  /// The machine's definition is another one from here on: whoever goes by it takes the new one.
  case redefine
  /// The service came to rest, or to run: whoever waits for it gets this.
  case settle(Settlement)
  /// What an operator may match on has a kind.
  case log(LogLevel, kind: EventKind? = nil, String)
}

/// What a request came to.
package enum Settlement: Hashable, Sendable {
  case running(RelaunchReport)
  case stopped(RelaunchReport?)
  /// It will be tried again: why, and when.
  case backingOff(String)
  case blocked(String)
  case failed(String)
}
