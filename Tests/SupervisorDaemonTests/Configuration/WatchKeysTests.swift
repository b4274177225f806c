// What becomes of `watch`, `watch_ignore` and `watch_delay`.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("The keys of a watch", .timeLimit(.minutes(5)))
struct WatchKeysTests {
  private func watch(_ lines: String) throws -> (WatchDefinition?, folder: String) {
    let folder = try ConfigurationFolder()
    try folder.write("[service.app]\ncommand = \"x\"\n\(lines)\n", to: "c.toml")
    #expect(folder.findings() == "")
    return (try folder.configuration().services.first?.watch, folder.path)
  }

  @Test("are about the folder of the configuration, or the service's own")
  func folders() throws {
    let (here, folder) = try watch("watch = [\"*.py\"]")
    #expect(here == WatchDefinition(folder: folder, patterns: ["*.py"]))
    #expect(here?.delay == .milliseconds(50) && here?.usesGitignore == true)
    #expect(try watch("watch = [\"*.py\"]\ndirectory = \"/srv\"").0?.folder == "/srv")
  }

  @Test("are all in the definition, and none is one when nothing is watched")
  func complete() throws {
    let all = try watch(
      "watch_delay = \"0s\"\nwatch_ignore = [\"gen/\", \"!*.tmp\"]\nwatch = [\"a\", \"b/**\"]")
    #expect(
      all.0
        == WatchDefinition(
          folder: all.folder, patterns: ["a", "b/**"], ignored: ["gen/", "!*.tmp"], delay: .zero))
    #expect(try watch("watch = []\nwatch_ignore = [\"a\"]").0 == nil)
    #expect(try watch("").0 == nil)
  }

  @Test("have no delay that would keep a stop waiting")
  func delay() throws {
    let folder = try ConfigurationFolder()
    try folder.write("[service.app]\ncommand = \"x\"\nwatch = [\"a\"]\nwatch_delay = \"11s\"\n", to: "c.toml")
    #expect(folder.findings().contains("c.toml:4:15: error: the time must be at most 10s"))
  }
}
