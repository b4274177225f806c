// The cgroup of one service, which has its limits, and those of its generations.

import Glibc
import Supervisor

/// The folder of a service, from its first launch until it rests.
package final class ServiceGroup {
  let group: ControlGroup
  private var applied = ResourceDefinition()

  init(_ group: ControlGroup, markedAs mark: String) throws(SystemError) {
    self.group = group
    // One that is there may have limits of a former daemon.
    if try group.make() == .known { (applied.memory, applied.tasks, applied.cpu) = (0, 0, 0) }
    try group.set(mark, "1")
  }

  /// Writes the limits that are not written yet; those whose controller is not on are left out.
  func apply(_ resources: ResourceDefinition, where isOn: (ResourceSetting) -> Bool) throws(SystemError) {
    if resources == applied { return }
    for setting in ResourceSetting.removals(from: applied, to: resources) where group.has(setting.file) {
      try group.write(setting.value, to: setting.file)
    }
    for setting in ResourceSetting.all(of: resources) where isOn(setting) {
      try group.write(setting.value, to: setting.file)
    }
    applied = resources
  }

  /// The limit of memory, as it was set.
  var memoryLimit: Int? { applied.memory }

  /// memory.events: how often somebody in it was killed for want of memory, and how often its own limit was the reason.
  fileprivate var memoryKills: MemoryKills {
    let text = group.read("memory.events") ?? ""
    return MemoryKills(
      kills: CgroupPlace.value(of: "oom_kill", in: text) ?? 0,
      limit: CgroupPlace.value(of: "oom", in: text) ?? 0)
  }
}

private struct MemoryKills: Hashable {
  var kills: UInt64
  var limit: UInt64
}

/// The cgroup of one generation.
package final class GenerationGroup {
  package let group: ControlGroup
  package let generation: Int
  private let service: ServiceGroup
  private let before: MemoryKills
  private var folder: FileDescriptor?

  init(_ generation: Int, of service: ServiceGroup) throws(SystemError) {
    self.generation = generation
    self.service = service
    group = service.group.child("\(generation)")
    before = service.memoryKills
    try group.make()
    folder = try group.open()
  }

  /// Calls with the descriptor of the folder, and closes it: only the launch needs it.
  package func withDescriptor<Result>(_ body: (CInt) throws -> Result) rethrows -> Result {
    let number = folder?.number ?? -1
    defer { folder = nil }
    return try body(number)
  }

  /// What to say of a main process that SIGKILL ended, if the kernel sent it for want of memory.
  package var memoryDeath: String? {
    let now = service.memoryKills
    guard now.kills > before.kills else { return nil }
    guard now.limit > before.limit, let limit = service.memoryLimit else {
      return "the machine is out of memory"
    }
    return "memory limit \(ResourceDefinition.size(limit))"
  }

  /// What it uses now; the memory is that of the service, whose only generation this is.
  package var use: ResourceUse {
    let memory = service.group.read("memory.current").flatMap { text in Int(text.prefix { $0.isNumber }) }
    let cpu = group.read("cpu.stat").flatMap { CgroupPlace.value(of: "usage_usec", in: $0) }
    return ResourceUse(memory: memory, cpu: cpu.map { Int($0 / 1000) }, tasks: group.members.count)
  }
}
