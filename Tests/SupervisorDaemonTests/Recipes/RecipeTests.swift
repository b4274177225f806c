// Every recipe of the documentation, run as it stands there.

import FoundationEssentials
import Supervisor
import Testing

@Suite("A recipe", .serialized, .timeLimit(.minutes(5))) struct RecipeTests {
  @Test(
    "serves from the owned listener, refuses nobody over its restarts, leaves nothing", arguments: Recipe.all)
  func isTrue(_ recipe: Recipe) throws {
    if let missing = recipe.missing {
      let message = "\(missing) (\(recipe.package)) is not installed: scripts/setup --recipes"
      if !Recipe.areRequired { try Test.cancel(Comment(rawValue: message)) }
      Issue.record(Comment(rawValue: message))
      return
    }
    try RecipeRun(recipe).prove()
  }

  @Test("is in the index, and is tested")
  func isComplete() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Recipe.documents)
    let names = files.filter { $0.hasSuffix(".toml") }.map { String($0.dropLast(5)) }.sorted()
    #expect(names == Recipe.all.map(\.name).sorted())
    let index = try String(contentsOfFile: Recipe.documents + ".md", encoding: .utf8)
    for name in names { #expect(index.contains("(recipes/\(name).toml)"), "\(name)") }
  }

  @Test("is told from its example addresses and paths, and nothing else of it changes")
  func example() {
    let text = "listen = \"127.0.0.1:8000\" # 18000, 8000 of /srv/app/8000.py, {port:web}\n"
    let example = ExampleText(configuration: text, folder: "/tmp/x", host: "127.1.2.3") { 9 }
    #expect(example.filled(text) == "listen = \"127.1.2.3:9\" # 18000, 9 of /tmp/x/9.py, {port:web}\n")
  }
}
