// Which changes below a folder count: the keys of the configuration, .gitignore files, and what nobody wants. Pure.

import Supervisor

/// The .gitignore file of one folder.
package struct FolderRules: Hashable, Sendable {
  /// How many of the first names of a path lead to the folder.
  package var depth: Int
  /// For a folder above the watched one: the names that lead from there to it.
  package var prefix: PathNames
  package var patterns: PatternList

  package init(depth: Int, prefix: PathNames = [], patterns: PatternList) {
    self.depth = depth
    self.prefix = prefix
    self.patterns = patterns
  }

  func verdict(_ path: PathNames, isFolder: Bool) -> PatternVerdict? {
    prefix.isEmpty
      ? patterns.verdict(path[depth...], isFolder: isFolder)
      : patterns.verdict((prefix + path)[...], isFolder: isFolder)
  }
}

/// Decides about paths that are relative to the folder of a definition.
package struct WatchFilter: Sendable {
  private let patterns: PatternList
  private let ignored: PatternList
  private let never: PatternList

  package init(_ definition: WatchDefinition) {
    patterns = PatternList(definition.patterns.flatMap(PathPattern.all))
    ignored = PatternList(definition.ignored.flatMap(PathPattern.all))
    never = PatternList(Self.neverWanted.flatMap(PathPattern.all))
  }

  /// Whether something in the folder could count; its parent was asked before.
  ///
  /// - Parameter rules: of all folders above, the outermost first.
  package func enters(_ folder: PathNames, _ rules: [FolderRules]) -> Bool {
    if folder.isEmpty { return true }
    if isIgnored(folder, isFolder: true, rules) { return false }
    return isWanted(folder, isFolder: true) || patterns.mayMatch(below: folder[...])
  }

  /// Whether a change of a file counts that lies in a folder that was entered.
  package func counts(_ file: PathNames, _ rules: [FolderRules]) -> Bool {
    isWanted(file, isFolder: false) && !isIgnored(file, isFolder: false, rules)
  }

  /// What matches a folder matches all that is in it, until a pattern takes something back.
  private func isWanted(_ path: PathNames, isFolder: Bool) -> Bool {
    var last: PatternVerdict?
    for length in 1...path.count {
      let verdict = patterns.verdict(path[..<length], isFolder: isFolder || length < path.count)
      if let verdict { last = verdict }
    }
    return last == .matched
  }

  /// The more particular goes first: what the configuration says, then the innermost .gitignore file.
  private func isIgnored(_ path: PathNames, isFolder: Bool, _ rules: [FolderRules]) -> Bool {
    if let verdict = ignored.verdict(path[...], isFolder: isFolder) { return verdict == .matched }
    for rule in rules.reversed() {
      if let verdict = rule.verdict(path, isFolder: isFolder) { return verdict == .matched }
    }
    return never.verdict(path[...], isFolder: isFolder) == .matched
  }

  /// What version control, tools and editors write beside the sources; the manual lists it.
  static let neverWanted = [
    // Version control, and what is installed or derived.
    ".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", "CVS/", "node_modules/", "__pycache__/", ".venv/",
    ".tox/",
    ".nox/", ".mypy_cache/", ".pytest_cache/", ".ruff_cache/", ".direnv/", ".idea/", ".vscode/", ".gradle/",
    "*.py[co]",
    // vim: swap files, backups, and the file with which it tries whether it may write. Also kate's and joe's.
    ".*.sw[a-p]", "*.sw[op]", "*~", "4913", ".*.kate-swp",
    // emacs: locks and automatic saves; JetBrains; GLib (gedit and others); LibreOffice.
    ".#*", "\\#*#", "*___jb_tmp___", "*___jb_old___", ".goutputstream-*", ".~lock.*",
    // File systems: what was removed and is still open. And temporary files by their name.
    ".nfs????*", ".fuse_hidden*", "*.tmp", ".DS_Store",
  ]
}
