import Supervisor
import SupervisorDaemon
import Testing

@Suite("What a configuration was read from") struct ConfigurationSourcesTests {
  private func loaded(_ result: ConfigurationResult) throws -> Configuration {
    guard case .success(let configuration, _) = result else {
      throw NeverHappened(what: "it loads: \(result)")
    }
    return configuration
  }

  @Test("gives the same configuration once more, whatever became of the files")
  func replay() throws {
    let folder = try ConfigurationFolder()
    try folder.write(
      "include = [\"*.conf\"]\n[service.a]\ncommand = \"a\"\nenvironment_file = \"env\"", to: "c.toml")
    try folder.write("[service.b]\ncommand = \"b\"\ndirectory = \"here\"", to: "b.conf")
    try folder.write("NAME=value\nOTHER=\"ü\\n\"\n", to: "env")
    let sources = ConfigurationSources()
    let first = try loaded(ConfigurationLoader.load(folder.path + "/c.toml", from: sources))
    let bytes = try Wire.encode(sources.snapshot)
    try folder.write("[service.c]\ncommand = \"c\"", to: "c.conf")
    let snapshot = try Wire.decode(ConfigurationSources.Snapshot.self, from: bytes)
    #expect(snapshot == sources.snapshot)
    let path = folder.path + "/c.toml"
    #expect(
      try loaded(ConfigurationLoader.load(path, from: ConfigurationSources(replaying: snapshot))) == first)
    #expect(try loaded(ConfigurationLoader.load(path)).services.count == 3)
  }

  @Test("does not read what was not read before")
  func unread() throws {
    let sources = ConfigurationSources(replaying: ConfigurationSources().snapshot)
    guard case .failure(let diagnostics) = ConfigurationLoader.load("/etc/passwd", from: sources) else {
      throw NeverHappened(what: "it is refused")
    }
    #expect(diagnostics.first?.message.contains("the daemon before this one did not read it") == true)
  }

  @Test(
    "may hold any bytes on its way", arguments: [[], Array(0...255), [0xff, 0, 10, 34, 92]] as [[UInt8]])
  func bytes(_ bytes: [UInt8]) throws {
    let text = try Wire.encode([ExactBytes(bytes)])
    #expect(try Wire.decode([ExactBytes].self, from: text) == [ExactBytes(bytes)])
  }
}
