// The plan of a launch as the keeper reads it: one memory file, laid out as keeper.h says.

import CKeeper
import CLinux
import Glibc
import Supervisor

/// Lays out a `struct keeper_plan` with its strings and arrays.
struct LaunchPlan {
  private(set) var bytes: [UInt8]

  /// - Parameter own: the numbers of what only the keeper gets.
  init(_ request: LaunchRequest, firstUnusedDescriptor: Int, own: KeeperDescriptors = KeeperDescriptors()) {
    var plan = keeper_plan()
    bytes = [UInt8](repeating: 0, count: MemoryLayout<keeper_plan>.stride)
    plan.magic = KEEPER_PLAN_MAGIC
    plan.version = KEEPER_PLAN_VERSION
    plan.first_unused = UInt32(firstUnusedDescriptor)
    plan.umask = request.umask
    plan.stray_timeout_ms = UInt32(clamping: request.strayTimeout.wholeNanoseconds / 1_000_000)
    plan.ambient_capabilities = request.ambientCapabilities
    plan.generation = UInt64(request.generation)
    set(&plan, survival: request)
    set(&plan, own)
    plan.arguments = append(list: request.arguments)
    plan.environment = append(environment: request, &plan)
    plan.programs = append(list: request.programs)
    if let directory = request.directory { plan.directory = append(string: directory) }
    if request.noNewPrivileges { plan.flags |= UInt32(KEEPER_NO_NEW_PRIVS.rawValue) }
    switch request.interception {
    case .none: break
    case .wherePossible: plan.flags |= UInt32(KEEPER_INTERCEPT.rawValue)
    case .required: plan.flags |= UInt32(KEEPER_INTERCEPT.rawValue | KEEPER_MUST_INTERCEPT.rawValue)
    }
    set(&plan, priorities: request)
    set(&plan, user: request.user)
    plan.limits = align()
    plan.limits_count = UInt32(request.limits.count)
    for limit in request.limits {
      append(keeper_limit(resource: limit.resource, reserved: 0, soft: limit.soft, hard: limit.hard))
    }
    _ = align()
    plan.size = UInt32(bytes.count)
    withUnsafeBytes(of: plan) { bytes.replaceSubrange(0..<$0.count, with: $0) }
  }

  /// The plan in a memory file that the keeper inherits.
  func file() throws(SystemError) -> FileDescriptor {
    let file = FileDescriptor(
      owning: try retrying("create a memory file") { cl_memory_file("fdsupervisor-plan") })
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { all in
        Glibc.write(file.number, all.baseAddress.map { $0 + written }, all.count - written)
      }
      if count <= 0 { throw SystemError("write", "the launch plan") }
      written += count
    }
    return file
  }

  private func set(_ plan: inout keeper_plan, survival request: LaunchRequest) {
    if case .held(let fingerprint) = request.survival {
      plan.flags |= UInt32(KEEPER_SURVIVE.rawValue)
      plan.fingerprint = fingerprint
    }
  }

  private func set(_ plan: inout keeper_plan, _ own: KeeperDescriptors) {
    plan.cgroup = UInt32(own.cgroup ?? 0)
    plan.door = UInt32(own.door ?? 0)
    plan.notify = UInt32(own.notify ?? 0)
    plan.output = UInt32(own.output ?? 0)
    plan.listener = UInt32(own.listeners.first ?? 0)
    plan.listener_count = UInt32(own.listeners.count)
  }

  private mutating func set(_ plan: inout keeper_plan, priorities request: LaunchRequest) {
    if let nice = request.nice {
      plan.flags |= UInt32(KEEPER_SET_NICE.rawValue)
      plan.nice = Int32(nice)
    }
    if let adjust = request.oomScoreAdjust {
      plan.flags |= UInt32(KEEPER_SET_OOM.rawValue)
      plan.oom_score_adjust = Int32(adjust)
    }
  }

  private mutating func set(_ plan: inout keeper_plan, user: ResolvedUser?) {
    guard let user else { return }
    plan.flags |= UInt32(KEEPER_SET_USER.rawValue)
    plan.uid = user.uid
    plan.gid = user.gid
    plan.groups = align()
    plan.groups_count = UInt32(user.groups.count)
    for group in user.groups { append(group) }
  }

  /// Up to a multiple of 8, where arrays begin; returns the offset.
  private mutating func align() -> UInt32 {
    while bytes.count % 8 != 0 { bytes.append(0) }
    return UInt32(bytes.count)
  }

  private mutating func append<Value: BitwiseCopyable>(_ value: Value) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }

  private mutating func append(string: String) -> UInt32 {
    let offset = UInt32(bytes.count)
    bytes.append(contentsOf: string.utf8)
    bytes.append(0)
    return offset
  }

  private mutating func append(list strings: [String]) -> UInt32 {
    let offsets = strings.map { append(string: $0) }
    return append(offsets: offsets)
  }

  private mutating func append(offsets: [UInt32]) -> UInt32 {
    let list = align()
    for offset in offsets { append(UInt64(offset)) }
    append(UInt64(0))
    return list
  }

  private mutating func append(environment request: LaunchRequest, _ plan: inout keeper_plan) -> UInt32 {
    var offsets = request.environment.map { append(string: $0) }
    // Only the child knows these pids: it writes the digits over the zeros.
    func reserve(_ name: String) -> UInt32 {
      let offset = append(string: name + "=00000000000")
      offsets.append(offset)
      return offset + UInt32(name.utf8.count) + 1
    }
    if request.listenPID == .wanted { plan.listen_pid = reserve("LISTEN_PID") }
    if request.masterPID == .wanted { plan.master_pid = reserve("EINHORN_MASTER_PID") }
    return append(offsets: offsets)
  }
}
