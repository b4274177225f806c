// The states of a service, each with the facts that only exist in it.

import Supervisor

/// Where a service is.
///
/// The doc comment of each case names its successors.
package enum ServiceState: Hashable, Sendable, Codable {
  /// Nothing runs and nothing is wanted. → `verifying` (a start); `starting`, `running`, `sweeping` (when a daemon
  /// before this one left a generation).
  case stopped
  /// The answer of `verify` is awaited, which comes at once. → `launching`, `blocked`, `stopped`, `failed`.
  case verifying(Verifying)
  /// A keeper was asked to execute. → `starting`, `running`, `stopping`, `sweeping`, `verifying`, `backingOff`.
  case launching(Launching)
  /// The main process runs and is not ready. → `running`, `stopping`, `sweeping`.
  case starting(Starting)
  /// Ready. → `stopping`, `sweeping`.
  case running(Running)
  /// The main process was told to end. → `sweeping`, `blocked`.
  case stopping(Stopping)
  /// Everybody of the generation has to go, as a rule after its main process. → `verifying`, `backingOff`, `blocked`.
  case sweeping(Sweeping)
  /// Nothing runs; the next launch is at a time. → `verifying`, `stopped`, `failed`.
  case backingOff(BackingOff)
  /// A guarded port is taken, or a process can't be killed. → `verifying`, `sweeping`, `stopped`, `launching`.
  case blocked(Blocked)
  /// Given up until somebody asks. → `verifying`, `stopped`.
  case failed(message: String)

  package struct Verifying: Hashable, Sendable, Codable {
    var purpose: Purpose
    var began: Instant

    enum Purpose: Hashable, Sendable, Codable { case launch, rest(Rest) }
  }

  package struct Launching: Hashable, Sendable, Codable {
    var began: Instant
    /// Executed by then, or the launch is given up.
    var deadline: Instant
    /// Somebody changed his mind while the keeper was on its way.
    var intent: Intent
    /// It was ready, by READY=1 or by what it bound, before its keeper said that it was executed.
    var isNotified = false

    enum Intent: Hashable, Sendable, Codable { case run, stop, restart }
  }

  package struct Starting: Hashable, Sendable, Codable {
    var pid: Int32
    var launched: Instant
    /// Ready by then, or the generation is stopped.
    var deadline: Instant
    var probes: Int
  }

  package struct Running: Hashable, Sendable, Codable {
    package var pid: Int32
    var since: Instant
  }

  package struct Stopping: Hashable, Sendable, Codable {
    var pid: Int32
    var began: Instant
    var signals: [Int32]
    var aim: Aim
    var pace = Pace.patient
    /// When it got SIGKILL.
    var killed: Instant?
  }

  /// Whether those who are left get their time to end, or SIGKILL at once.
  enum Pace: Hashable, Sendable, Codable { case patient, hurried }

  package struct Sweeping: Hashable, Sendable, Codable {
    var began: Instant
    var aim: Aim
    var phase: Phase
    var strays: [SweptStray] = []
    /// The main process, when its end was not told before the sweep began.
    var main: Int32?
    /// Strays that are gone and were too many to be told one by one.
    var untold = 0
    var mercy = Mercy.none

    /// Whether strays may live on, as the definition says: not when the launch is given up, somebody is in a hurry, or
    /// there is no keeper that could stay above them.
    enum Mercy: Hashable, Sendable, Codable { case none, byPolicy }

    enum Phase: Hashable, Sendable, Codable {
      /// The last scan found nobody, but the keeper is still there: a look again soon.
      case looking(rounds: Int)
      case terminating
      case killing(since: Instant, rounds: Int)
    }
  }

  /// A stray with what was done to it.
  struct SweptStray: Hashable, Sendable, Codable {
    var stray: Stray
    var found: Instant
    var signals: [Int32]
    var gone: Instant?
    var fate = Fate.ended

    enum Fate: Hashable, Sendable, Codable {
      case ended
      /// It lives on; what was taken from it, once that is known.
      case released(taken: [String]?)
      /// It lives on with what it has.
      case reported
    }
  }

  package struct BackingOff: Hashable, Sendable, Codable {
    package var until: Instant
    package var message: String
  }

  package struct Blocked: Hashable, Sendable, Codable {
    package var cause: Cause
    package var message: String
    /// How often it was looked whether a guarded port is free by now.
    var looks = 0
    /// Whether it is known who has the port, as far as that can be known.
    var naming = Naming.underWay

    enum Naming: Hashable, Sendable, Codable { case underWay, done, outdated }

    package enum Cause: Hashable, Sendable, Codable {
      /// A guarded port is taken by a process that is not ours: what the verification said.
      case occupied(finding: String)
      /// Processes of the generation before do not die: their sweep goes on.
      case unkillable(Sweeping)
    }
  }

  /// What to do when the generation is gone.
  enum Aim: Hashable, Sendable, Codable {
    /// Launch the next one, not before this time.
    case relaunch(notBefore: Instant, message: String?)
    case rest(Rest)
  }

  enum Rest: Hashable, Sendable, Codable {
    case stopped
    case failed(String)
  }
}

extension ServiceState {
  /// The name for people and for `status`.
  package var publicState: PublicState {
    switch self {
    case .stopped: .stopped
    case .verifying(let verifying):
      if case .launch = verifying.purpose { .starting } else { .stopping }
    case .launching, .starting: .starting
    case .running: .running
    case .stopping, .sweeping: .stopping
    case .backingOff: .backoff
    case .blocked: .blocked
    case .failed: .failed
    }
  }

  /// The state's own name, for the log and for the diagram.
  package var name: String {
    switch self {
    case .stopped: "stopped"
    case .verifying: "verifying"
    case .launching: "launching"
    case .starting: "starting"
    case .running: "running"
    case .stopping: "stopping"
    case .sweeping: "sweeping"
    case .backingOff: "backingOff"
    case .blocked: "blocked"
    case .failed: "failed"
    }
  }

  /// The main process, while it is there.
  package var pid: Int32? {
    switch self {
    case .starting(let starting): starting.pid
    case .running(let running): running.pid
    case .stopping(let stopping): stopping.pid
    case .stopped, .verifying, .launching, .sweeping, .backingOff, .blocked, .failed: nil
    }
  }

  /// Why it is not running, when there is something to say.
  package var message: String? {
    switch self {
    case .backingOff(let backingOff): backingOff.message
    case .blocked(let blocked): blocked.message
    case .failed(let message): message
    case .stopped, .verifying, .launching, .starting, .running, .stopping, .sweeping: nil
    }
  }
}
