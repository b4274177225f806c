// The steps between clone(2) and execve(2), as people read them when one fails.

import CKeeper
import Supervisor

extension LaunchFailure {
  /// What a keeper reported: the step and its errno.
  package init(step: Int32, error: Int32, request: LaunchRequest) {
    let what = Self.text(of: step, request)
    self.init(
      message: "cannot \(what): \(SystemError.text(error))\(Self.remedy(step: step, error: error, request))",
      keeper: .exiting)
  }

  private static func text(of step: Int32, _ request: LaunchRequest) -> String {
    switch keeper_step(rawValue: UInt32(bitPattern: step)) {
    case KEEPER_STEP_PLAN: "read the launch plan"
    case KEEPER_STEP_SUBREAPER: "become a subreaper"
    case KEEPER_STEP_CLONE: "create the main process"
    case KEEPER_STEP_SESSION: "create a session"
    case KEEPER_STEP_NICE: "set nice = \(request.nice ?? 0)"
    case KEEPER_STEP_OOM: "set oom_score_adjust = \(request.oomScoreAdjust ?? 0)"
    case KEEPER_STEP_LIMIT: "set the limits (\(request.limits.map(\.name).joined(separator: ", ")))"
    case KEEPER_STEP_INTERCEPT: "have bind(2) told (pass = \"intercept\")"
    case KEEPER_STEP_GROUPS: "set the supplementary groups"
    case KEEPER_STEP_GROUP: "change to group \(request.user?.gid ?? 0)"
    case KEEPER_STEP_USER: "change to user \(request.user?.name ?? String(request.user?.uid ?? 0))"
    case KEEPER_STEP_CAPABILITIES: "set ambient_capabilities"
    case KEEPER_STEP_NO_NEW_PRIVS: "set no_new_privileges"
    case KEEPER_STEP_DIRECTORY: "change to directory \"\(request.directory ?? "")\""
    case KEEPER_STEP_MASK: "reset the signals"
    case KEEPER_STEP_DESCRIPTORS: "close the descriptors"
    case KEEPER_STEP_EXECUTE:
      "execute \"\(request.programs.count == 1 ? request.programs[0] : request.arguments[0])\""
    default: "launch (step \(step))"
    }
  }

  private static func remedy(step: Int32, error: Int32, _ request: LaunchRequest) -> String {
    if step == Int32(KEEPER_STEP_INTERCEPT.rawValue) { return Interception.remedy(for: error) }
    guard step == Int32(KEEPER_STEP_EXECUTE.rawValue) else { return "" }
    return ExecutionRemedy.text(for: error, programs: request.programs)
  }
}
