// Which files' changes restart a service: the keys `watch`, `watch_ignore` and `watch_delay`.

/// Files below a folder, and how long they have to be quiet after a change.
///
/// Patterns are written as in a .gitignore file, gitignore(5): without a slash (but at the end) they are about names in
/// any folder, with one about paths from `folder` on; "!" in front takes back. `{a,b}` is understood, too.
package struct WatchDefinition: Hashable, Sendable {
  /// Absolute.
  package var folder: String
  /// What counts; never empty.
  package var patterns: [String]
  /// What does not, beside what .gitignore files name and what nobody wants to be told of.
  package var ignored: [String]
  /// A change counts when nothing else changed for so long.
  package var delay: Duration
  /// Whether .gitignore files are respected.
  package var usesGitignore: Bool

  package static let standardDelay: Duration = .milliseconds(50)

  package init(
    folder: String, patterns: [String], ignored: [String] = [], delay: Duration = Self.standardDelay,
    usesGitignore: Bool = true
  ) {
    self.folder = folder
    self.patterns = patterns
    self.ignored = ignored
    self.delay = delay
    self.usesGitignore = usesGitignore
  }
}
