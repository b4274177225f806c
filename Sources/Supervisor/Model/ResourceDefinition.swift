// What all processes of a service may use together: `limits = { memory, tasks, cpu }`.

/// Limits of a service's cgroup; nil: none.
package struct ResourceDefinition: Hashable, Sendable {
  /// Bytes.
  package var memory: Int?
  /// Processes and threads.
  package var tasks: Int?
  /// Percent of one processor: 150 is one and a half.
  package var cpu: Int?

  package init() {}

  /// Those that are set, as the configuration spells them: "memory = 512MiB".
  package var texts: [String] {
    [
      memory.map { "memory = \(Self.size($0))" }, tasks.map { "tasks = \($0)" }, cpu.map { "cpu = \($0)%" },
    ].compactMap { $0 }
  }

  /// In the greatest unit that divides it: "512MiB", "1000".
  package static func size(_ bytes: Int) -> String {
    let units = ["", "KiB", "MiB", "GiB", "TiB"]
    var number = bytes
    var unit = 0
    while number > 0, number % 1024 == 0, unit < units.count - 1 {
      number /= 1024
      unit += 1
    }
    return "\(number)\(units[unit])"
  }
}
