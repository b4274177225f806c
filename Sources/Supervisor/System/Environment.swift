// The environment of this process, environ(7).

import Glibc

/// getenv(3); an empty value counts as absent.
package func environmentValue(_ name: String) -> String? {
  guard let value = getenv(name), value.pointee != 0 else { return nil }
  return String(cString: value)
}

/// All entries, "NAME=value".
package func currentEnvironment() -> [String] {
  var result: [String] = []
  var entry = environ
  while let text = entry.pointee {
    result.append(String(cString: text))
    entry += 1
  }
  return result
}
