// What the daemon can do, asked of the programs themselves; a test for what it cannot do yet is skipped.

import Supervisor

enum Feature {
  static let survive = accepts("[service.a]\ncommand = [\"true\"]\nsurvive = true\n")
  static let cgroups = accepts("[service.a]\ncommand = [\"true\"]\nlimits = { memory = \"512MiB\" }\n")
  static let reload = hasVerb("reload-config")
  static let reexec = hasVerb("reexec")

  private static func hasVerb(_ verb: String) -> Bool {
    do {
      return try Program.run([Box.program("fdsupervisorctl"), "help", verb]).output.contains("ctl \(verb)")
    } catch {
      return false
    }
  }

  private static func accepts(_ configuration: String) -> Bool {
    do {
      let file = try TemporaryFile()
      var bytes = Array(configuration.utf8)
      _ = try bytes.withUnsafeMutableBytes { try file.descriptor.write(UnsafeRawBufferPointer($0)) }
      let path = "/proc/self/fd/1"
      let none = try TemporaryFile()
      let daemon = try Program.start(
        [Box.program("fdsupervisord"), "--check", "--config", path],
        streams: [none.descriptor.number, file.descriptor.number, none.descriptor.number])
      return Program.status(of: daemon, within: .seconds(20)) == 0
    } catch {
      return false
    }
  }
}
