// A recipe of the documentation as it stands there, at addresses and in a folder of the test.

import FoundationEssentials
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

/// One recipe behind one daemon.
final class RecipeRun {
  private let recipe: Recipe
  private let world: World
  private let configuration: String
  /// The names of the first service and the first socket.
  private let service: String
  private let socket: String
  private let address: String

  init(_ recipe: Recipe) throws {
    self.recipe = recipe
    world = try World()
    let source = try String(contentsOfFile: "\(Recipe.documents)/\(recipe.name).toml", encoding: .utf8)
    let host = World.address().split(separator: ":")[0]
    var port = Int.random(in: 10_000...29_000)
    let example = ExampleText(configuration: source, folder: world.folder.path, host: String(host)) {
      port += 1
      return port
    }
    configuration = recipe.adapted(example.filled(source))
    service = try #require(Self.firstName(of: "service", in: configuration))
    socket = Self.firstName(of: "socket", in: configuration) ?? ""
    let key = recipe.port == .owned ? "listen = \"" : "ports = [\""
    let start = try #require(configuration.firstRange(of: key)).upperBound
    address = String(configuration[start...].prefix { $0 != "\"" })
    try copyFiles(example)
    try recipe.prepare?(world)
  }

  private static func firstName(of table: String, in text: String) -> String? {
    text.firstRange(of: "[\(table).").map { String(text[$0.upperBound...].prefix { $0 != "]" }) }
  }

  /// Puts what lies beside the configuration in the folder that stands for /srv/app, and PyPI's programs.
  private func copyFiles(_ example: ExampleText) throws {
    let folder = "\(Recipe.documents)/\(recipe.name)"
    if FileManager.default.fileExists(atPath: folder) {
      for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
        let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
        try world.write(example.filled(text), to: name)
      }
    }
    symlink("\(Recipe.root)/.build-recipes/venv", world.path("venv"))
  }

  /// Serves, restarts under load and ends.
  func prove() throws {
    try world.start(configuration, running: [service])
    let load = try RequestLoad(recipe.probe, at: address, in: world.folder) { [world] in world.log }
    try load.awaitAnswer("at first")
    try expectOneListener()
    for number in 1...recipe.restarts {
      try world.restart(service)
      try load.awaitAnswer("after restart \(number)")
    }
    let result = try load.end()
    try expectOneListener()
    try expectEnd()
    #expect(result.answered > 0, "\(result)\n\(world.log)")
    #expect(result.wrong == 0 && result.timedOut == 0, "\(result)\n\(world.log)")
    if recipe.port == .owned { #expect(result.refused == 0, "\(result)\n\(world.log)") }
    if recipe.accepted == .answered { #expect(result.broken == 0, "\(result)\n\(world.log)") }
  }

  /// The program took the owned listener over: it made none beside it.
  private func expectOneListener() throws {
    guard recipe.port == .owned else { return }
    let found = try SocketTable().listeners(on: SocketAddress(parsing: address))
    #expect(try found.map(\.inode) == [world.inode(socket)], "\(world.log)")
  }

  private func expectEnd() throws {
    let daemon = try #require(world.daemon)
    var family: [ProcessIdentity] = []
    Descendants.visit(.below(daemon.pid)) { family.append($0.stat.identity) }
    #expect(!family.isEmpty)
    try daemon.send(SIGTERM)
    #expect(try daemon.status() == 0, "\(world.log)")
    let left = family.filter(ProcessTable.isAlive)
    #expect(left.isEmpty, "\(world.log)")
    #expect(try SocketTable().listeners(on: SocketAddress(parsing: address)).isEmpty)
  }
}
