// What `check --json` prints. The daemon's program makes it: only that reads configurations.

/// The outcome of checking a configuration.
package struct CheckReply: Codable, Hashable, Sendable {
  package var ok: Bool
  package var diagnostics: [Diagnostic]

  package init(ok: Bool, diagnostics: [Diagnostic]) {
    self.ok = ok
    self.diagnostics = diagnostics
  }

  /// One error or warning.
  ///
  /// Line and column count from 1; 0 is the file as a whole.
  package struct Diagnostic: Codable, Hashable, Sendable {
    package var file: String
    package var line: Int
    package var column: Int
    package var severity: String
    package var message: String

    package init(file: String, line: Int, column: Int, severity: String, message: String) {
      self.file = file
      self.line = line
      self.column = column
      self.severity = severity
      self.message = message
    }
  }
}
