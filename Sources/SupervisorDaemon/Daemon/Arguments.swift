// The daemon's few options. swift-argument-parser would double the daemon's memory for three of them.

/// What the command line asks for.
package struct Arguments: Hashable {
  var configuration: String?
  var control: String?
  var purpose = Purpose.supervise
  /// What another program left to this one: not for people.
  var inheritance: Inheritance?

  /// How `--check` answers.
  var format = Format.text

  enum Purpose: Hashable {
    case supervise, check
    /// For ExecStopPost= of the unit: leaves the unit's cgroup so that systemd can start the daemon in it again.
    case releaseCgroup
    case rehearse(CInt)
  }
  enum Format: Hashable { case text, json }

  enum Command: Hashable {
    case run(Arguments)
    case help
    case version
  }

  package struct UsageError: Error, Hashable, CustomStringConvertible { package var description: String }

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
      case Rehearsal.option, Inheritance.option, Inheritance.failureOption:
        guard let value = inline ?? rest.popFirst(), result.takeSuccession(parts[0], value) else {
          return .failure(.init(description: "\(word) is not for people"))
        }
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

  /// False for nonsense.
  private mutating func takeSuccession(_ option: String, _ value: String) -> Bool {
    switch option {
    case Rehearsal.option:
      guard let number = CInt(value), number >= 0 else { return false }
      purpose = .rehearse(number)
    case Inheritance.option:
      guard let told = Inheritance(value) else { return false }
      inheritance = told
    default:
      guard inheritance != nil else { return false }
      inheritance?.failure = value
    }
    return true
  }
}
