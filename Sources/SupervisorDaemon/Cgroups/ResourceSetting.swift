// The limits of a service as the kernel wants them: controller, file, value. Pure.

import Supervisor

/// One limit: what is written where.
package struct ResourceSetting: Hashable, Sendable {
  /// The key of `limits`, with its value: "memory = 512MiB".
  package var text: String
  /// The controller that has to be on.
  package var controller: String
  /// File and value; what comes first counts.
  package var file: String
  package var value: String

  /// The period that a quota of the cpu controller is for, in microseconds; the kernel's own default.
  private static let period = 100_000

  /// What a definition asks for.
  ///
  /// A service that goes past its memory limit is ended as a whole (memory.oom.group): a half of it helps nobody.
  package static func all(of resources: ResourceDefinition) -> [ResourceSetting] {
    var settings: [ResourceSetting] = []
    func add(_ text: String, _ controller: String, _ file: String, _ value: String) {
      settings.append(ResourceSetting(text: text, controller: controller, file: file, value: value))
    }
    if let memory = resources.memory {
      let text = "memory = \(ResourceDefinition.size(memory))"
      add(text, "memory", "memory.oom.group", "1")
      add(text, "memory", "memory.max", "\(memory)")
    }
    if let tasks = resources.tasks { add("tasks = \(tasks)", "pids", "pids.max", "\(tasks)") }
    if let cpu = resources.cpu {
      add("cpu = \(cpu)%", "cpu", "cpu.max", "\(cpu * period / 100) \(period)")
    }
    return settings
  }

  /// What takes away the limits that a definition no longer has.
  package static func removals(from old: ResourceDefinition, to new: ResourceDefinition) -> [ResourceSetting]
  {
    let kept = Set(all(of: new).map(\.file))
    return all(of: old).filter { !kept.contains($0.file) }.map { setting in
      var setting = setting
      setting.value = setting.file == "memory.oom.group" ? "0" : "max"
      return setting
    }
  }
}

/// What a service uses, as far as the kernel tells; read when somebody asks.
package struct ResourceUse: Hashable, Sendable {
  /// Bytes; nil without the memory controller.
  package var memory: Int?
  /// Processor time of the generation, in milliseconds.
  package var cpu: Int?
  /// Processes of the generation.
  package var tasks: Int
}
