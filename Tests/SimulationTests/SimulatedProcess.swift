// The processes of the model world: one generation with its keeper, its main process and its strays.

import Supervisor
import SupervisorDaemon

/// A living process of the model world.
struct SimulatedProcess {
  let identity: ProcessIdentity
  let temper: Temper
  /// In uninterruptible sleep: nothing ends it for now.
  var isStuck = false
  /// A signal that ends it is pending.
  var isDoomed = false
  var isWatched = false
  var holding = Holding.nothing
  /// `stray_allow` has its name.
  var isAllowed = false

  enum Holding { case nothing, guardedPort, inseparablePort, accepts }
  enum Temper: CaseIterable { case obedient, ignoresTerm, breeding }

  var canDie: Bool { isDoomed && !isStuck }
}

/// All processes of one generation, until the service heard that there are none left.
struct SimulatedTree {
  let generation: Int
  var keeper: Keeper
  var main: SimulatedProcess?
  var strays: [SimulatedProcess] = []
  /// Everybody who ever lived in it: who else gets a signal is a stranger.
  var members: [ProcessIdentity] = []
  var wasExecuted = false
  var isListening = false

  enum Keeper {
    /// On its way to execve(2).
    case preparing
    /// On its way, and held up by a dead file system.
    case stuck
    case keeping
    /// Killed by somebody: its tree is the daemon's.
    case lost
    case gone
  }

  var isAlive: Bool {
    if main != nil || !strays.isEmpty { return true }
    switch keeper {
    case .preparing, .stuck, .keeping: return true
    case .lost, .gone: return false
    }
  }

  /// What /proc shows of it.
  var living: [Stray] {
    var result = strays.map { process in
      var stray = Stray(identity: process.identity, command: "stray")
      stray.isAllowed = process.isAllowed
      stray.use = process.holding == .accepts ? .accepts : .none
      return stray
    }
    if let main { result.append(Stray(identity: main.identity, command: "main")) }
    return result
  }

  /// Changes everybody who is alive.
  mutating func forEachLiving(_ change: (inout SimulatedProcess) -> Void) {
    if main != nil { main.withMember(change) }
    for index in strays.indices { change(&strays[index]) }
  }
}

extension Optional where Wrapped == SimulatedProcess {
  fileprivate mutating func withMember(_ change: (inout SimulatedProcess) -> Void) {
    guard var member = self else { return }
    change(&member)
    self = member
  }
}

/// Hands out process numbers from a small range, so that they are reused all the time.
struct ProcessNumbers {
  private var isTaken = [Bool](repeating: false, count: 512)
  private var next = 0
  private var births: UInt64 = 1

  mutating func take() -> ProcessIdentity {
    repeat { next = (next + 1) % isTaken.count } while isTaken[next]
    isTaken[next] = true
    births += 1
    return ProcessIdentity(pid: Int32(100 + next), startTime: births)
  }

  /// The number is the next one to be given to somebody else.
  mutating func release(_ identity: ProcessIdentity) {
    let index = Int(identity.pid) - 100
    isTaken[index] = false
    next = (index + isTaken.count - 1) % isTaken.count
  }
}
