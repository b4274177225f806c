// Everything a keeper needs to execute one generation, with nothing left to decide.

import Supervisor

/// A launch, resolved: placeholders expanded, users looked up.
package struct LaunchRequest: Hashable, Sendable, Codable {
  package var service: String
  package var generation: Int
  /// argv.
  package var arguments: [String]
  /// "NAME=value", in order, names unique.
  package var environment: [String]
  /// The paths to try, in this order, execvp(3).
  package var programs: [String]
  package var directory: String?
  package var user: ResolvedUser?
  package var umask: UInt32 = 0o022
  package var nice: Int?
  package var oomScoreAdjust: Int?
  package var noNewPrivileges = false
  /// One bit a capability, capabilities(7).
  package var ambientCapabilities: UInt64 = 0
  package var limits: [LimitDefinition] = []
  package var strayTimeout: Duration = .milliseconds(500)
  /// Whether LISTEN_PID is to be filled in: its entry in `environment` is "LISTEN_PID=".
  package var listenPID = ListenPID.absent

  /// Whether EINHORN_MASTER_PID is to be filled in with the pid of the main process's parent.
  package var masterPID = MasterPID.absent

  package var interception = PassMode.Interception.none
  /// What the keeper does when the daemon dies.
  package var survival = Survival.ended

  package enum Survival: Hashable, Sendable, Codable {
    /// It ends its generation.
    case ended
    /// It holds it for the next daemon, which compares the fingerprint of the definition.
    case held(fingerprint: UInt64)
  }

  package enum ListenPID: Hashable, Sendable, Codable { case absent, wanted }
  package enum MasterPID: Hashable, Sendable, Codable { case absent, wanted }

  package init(
    service: String, generation: Int, arguments: [String], environment: [String], programs: [String]
  ) {
    self.service = service
    self.generation = generation
    self.arguments = arguments
    self.environment = environment
    self.programs = programs
  }

  /// Once the program runs, nobody asks any more with what it was executed.
  mutating func forgetPlan() { (arguments, environment, programs, limits) = ([], [], [], []) }
}

/// Numbers for setresuid(2) and its kin.
package struct ResolvedUser: Hashable, Sendable, Codable {
  package var uid: UInt32
  package var gid: UInt32
  package var groups: [UInt32]
  /// For HOME, USER, LOGNAME, SHELL; absent for a number that no account has.
  package var name: String?
  package var home: String?
  package var shell: String?

  package init(uid: UInt32, gid: UInt32, groups: [UInt32]) {
    self.uid = uid
    self.gid = gid
    self.groups = groups
  }
}
