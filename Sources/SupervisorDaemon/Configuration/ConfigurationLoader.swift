// The way in: from the path of a configuration to a checked model, or to all that is wrong with it.

import Supervisor

/// What came of loading a configuration.
package enum ConfigurationResult: Sendable {
  case success(Configuration, warnings: [Diagnostic])
  /// At least one error; warnings may be among them. By file, then by position.
  case failure([Diagnostic])
}

package enum ConfigurationLoader {
  /// The path that means the same file for a reload, and for the program that takes over.
  package static func absolute(_ path: String) -> String { ConfigurationSources().absolute(path) }

  /// Reads the file, its includes and environment files.
  ///
  /// All errors of all files at once.
  ///
  /// Never waits for anything but the disk: what is no regular file is refused. Starts nothing.
  package static func load(
    _ path: String, from sources: ConfigurationSources = ConfigurationSources()
  ) -> ConfigurationResult {
    let diagnostics = Diagnostics()
    var reader = ConfigurationReader(diagnostics, sources)
    reader.read(path, includedAt: nil)
    reader.readEnvironmentFiles()
    // What a file that can't be read would have defined must not be reported as undefined.
    if reader.isComplete { ReferenceChecks(reader.draft, diagnostics).run() }
    var conflicts = AddressConflicts(reader.draft, diagnostics)
    conflicts.run()
    var cycles = DependencyCycles(reader.draft, diagnostics)
    cycles.run()
    if diagnostics.hasErrors { return .failure(diagnostics.sorted) }
    return .success(reader.draft.finished, warnings: diagnostics.sorted)
  }
}
