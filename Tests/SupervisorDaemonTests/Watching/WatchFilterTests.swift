// Which files count: patterns, what is ignored, and .gitignore files one below the other.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("The filter of a watch")
struct WatchFilterTests {
  private func filter(_ patterns: [String], ignored: [String] = []) -> WatchFilter {
    WatchFilter(WatchDefinition(folder: "/srv", patterns: patterns, ignored: ignored))
  }

  private func rules(_ text: String, depth: Int = 0, prefix: String = "") -> FolderRules {
    FolderRules(depth: depth, prefix: names(prefix), patterns: PatternList(gitignore: Array(text.utf8)))
  }

  /// As the tree asks: folder by folder, then the file.
  private func counts(_ filter: WatchFilter, _ path: String, _ rules: [FolderRules] = []) -> Bool {
    let path = names(path)
    for length in 1..<path.count {
      let known = rules.filter { $0.depth < length }
      if !filter.enters(Array(path.prefix(length)), known) { return false }
    }
    return filter.counts(path, rules.filter { $0.depth < path.count })
  }

  @Test("takes names in every folder, and paths from the folder on")
  func patterns() {
    let filter = filter(["*.py", "/conf/*.toml", "templates/"])
    for path in ["a.py", "d/e/a.py", "conf/a.toml", "templates/a.html", "x/templates/y/a.css"] {
      #expect(counts(filter, path), "\(path)")
    }
    for path in ["a.c", "x/conf/a.toml", "conf/d/a.toml", "templates"] {
      #expect(!counts(filter, path), "\(path)")
    }
  }

  @Test("takes back what a later pattern says")
  func takenBack() {
    let filter = filter(["src/", "!*.md", "/src/README.md"])
    #expect(counts(filter, "src/a.c"))
    #expect(!counts(filter, "src/d/a.md"))
    #expect(counts(filter, "src/README.md"))
  }

  @Test("enters only folders in which something could count")
  func entering() {
    let filter = filter(["/src/*/a.py", "/conf/"])
    for path in ["src", "src/x", "conf"] { #expect(filter.enters(names(path), []), "\(path)") }
    for path in ["lib", "src/x/y", ".git"] { #expect(!filter.enters(names(path), []), "\(path)") }
    #expect(self.filter(["**/*.py"]).enters(names("a/b/c"), []))
    #expect(self.filter(["src/**"]).enters(names("src/b/c"), []))
    #expect(!self.filter(["src/**"]).enters(names("lib"), []))
  }

  @Test(
    "never takes what version control, tools and editors write beside the sources",
    arguments: [
      ".git/index", ".hg/store/x", ".svn/x", "node_modules/a/index.js", "__pycache__/a.cpython-311.pyc",
      "a.pyc",
      ".venv/bin/python", ".server.py.swp", "server.py~", "4913", "d/4913", ".#server.py", "#server.py#",
      "server.py___jb_tmp___", "server.py___jb_old___", ".goutputstream-ABC", "x.tmp", ".nfs00000001", ".git",
    ])
  func never(_ path: String) {
    #expect(!counts(filter(["*"]), path))
    #expect(!counts(filter(["**"]), path))
  }

  @Test("takes it when the configuration says so")
  func wanted() {
    #expect(counts(filter(["*"], ignored: ["!node_modules/"]), "node_modules/a/index.js"))
    #expect(counts(filter(["*"], ignored: ["!*.tmp"]), "x.tmp"))
  }

  @Test("goes by .gitignore, the innermost first, and by watch_ignore before both")
  func gitignore() {
    let all = filter(["*"])
    let outer = rules("*.log\n/build/\n!keep.log\n")
    let inner = rules("!*.log\nsecret.log\n", depth: 1)
    #expect(!counts(all, "a.log", [outer]))
    #expect(counts(all, "keep.log", [outer]))
    #expect(!counts(all, "build/a.c", [outer]))
    #expect(counts(all, "x/build/a.c", [outer]))
    #expect(counts(all, "sub/a.log", [outer, inner]))
    #expect(!counts(all, "sub/secret.log", [outer, inner]))
    #expect(counts(filter(["*"], ignored: ["!*.log"]), "a.log", [outer]))
    #expect(!counts(filter(["*"], ignored: ["keep.log"]), "keep.log", [outer]))
  }

  /// The last example of gitignore(5).
  @Test("excludes everything except a folder")
  func exceptAFolder() {
    let rules = rules("/*\n!/foo\n/foo/*\n!/foo/bar\n")
    let all = filter(["*"])
    #expect(counts(all, "foo/bar/x", [rules]))
    #expect(!counts(all, "foo/x", [rules]))
    #expect(!counts(all, "x/y", [rules]))
  }

  @Test("cannot include again what lies in an excluded folder")
  func excludedFolder() {
    #expect(!counts(filter(["*"]), "logs/keep", [rules("logs/\n!logs/keep\n")]))
  }

  @Test("applies what files above the folder say, with their paths")
  func above() {
    let rules = [rules("*.gen\n/app/dist/\n", prefix: "app")]
    #expect(!counts(filter(["*"]), "a.gen", rules))
    #expect(!counts(filter(["*"]), "dist/a.js", rules))
    #expect(counts(filter(["*"]), "x/dist/a.js", rules))
  }
}
