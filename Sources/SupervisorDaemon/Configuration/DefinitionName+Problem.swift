// Why a name can't be one.

import Supervisor

extension DefinitionName {
  /// The end of a sentence; nil when it can be a name.
  static func problem(with name: String) -> String? {
    if name.isEmpty { return "it is empty" }
    if let wrong = name.unicodeScalars.first(where: { !isAllowed($0) }) {
      return "\(quoted(String(wrong))) is not allowed, only letters, digits and . _ @ -"
    }
    if name.hasPrefix("-") || name.hasPrefix(".") { return "it may not start with '-' or '.'" }
    if name.utf8.count > longest { return "it has \(name.utf8.count) characters, \(longest) are allowed" }
    return nil
  }
}
