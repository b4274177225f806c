// Names of users from /etc/passwd alone: a statically linked program has no NSS. Not for switching users.

/// The users that /etc/passwd knows; others go by their number.
package struct UserNames: Sendable {
  private var names: [UInt32: String]

  /// Reads /etc/passwd; a file that can't be read knows nobody.
  package static func read() -> UserNames {
    UserNames(passwd: contents(ofSmallFile: "/etc/passwd", limit: 1 << 22) ?? [])
  }

  /// Parses the bytes of a passwd(5) file; of several names for one number the first counts.
  package init(passwd bytes: [UInt8]) {
    names = [:]
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
      guard fields.count == 4, !fields[0].isEmpty,
        let number = UInt32(String(decoding: fields[2], as: UTF8.self)),
        names[number] == nil
      else { continue }
      names[number] = String(decoding: fields[0], as: UTF8.self)
    }
  }

  /// "www-data", or "33" for a number without a name.
  package func name(of number: UInt32) -> String { names[number] ?? String(number) }
}
