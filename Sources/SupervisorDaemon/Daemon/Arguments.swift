// The daemon's few options. swift-argument-parser would double the daemon's memory for three of them.

/// What the command line asks for.
struct Arguments: Hashable {
  var configuration: String?
  var control: String?
  var purpose = Purpose.supervise

  /// How `--check` answers.
  var format = Format.text

  enum Purpose: Hashable {
    case supervise, check
    /// For ExecStopPost= of the unit: leaves the unit's cgroup so that systemd can start the daemon in it again.
    case releaseCgroup
  }
  enum Format: Hashable { case text, json }

  enum Command: Hashable {
    case run(Arguments)
    case help
    case version
  }

  struct UsageError: Error, Hashable, CustomStringConvertible { var description: String }

  static func parse(_ words: [String]) -> Result<Command, UsageError> {
    var result = Arguments()
    var rest = words[...]
    while let word = rest.popFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let inline = parts.count == 2 ? parts[1] : nil
      switch parts.first {
      case "--help", "-h": return .success(.help)
      case "--version": return .success(.version)
      case "--check": result.purpose = .check
      case "--release-cgroup": result.purpose = .releaseCgroup
      case "--json": result.format = .json
      case "--config", "-c", "--control":
        guard let value = inline ?? rest.popFirst(), !value.isEmpty else {
          return .failure(.init(description: "\(word) wants a value"))
        }
        if parts[0] == "--control" { result.control = value } else { result.configuration = value }
      default: return .failure(.init(description: "unknown argument \"\(word)\""))
      }
    }
    return .success(.run(result))
  }
}
