// One recipe of docs/recipes, and what a test has to know of its program beside it.

import Glibc
import Supervisor
import Testing

/// A program in front of which the documentation puts an owned socket.
///
/// docs/recipes/NAME.toml is its configuration, docs/recipes/NAME/ what lies in /srv/app beside it.
struct Recipe: Sendable, CustomTestStringConvertible {
  var name: String
  /// What it runs: a name in PATH, a path, or below `venv/`, where `scripts/setup --recipes` has PyPI's.
  var needs: [String]
  /// Whose they are, of Debian or PyPI.
  var package: String
  var port = Port.owned
  var probe = RequestLoad.Probe.http
  /// What a restart does to a request that the program has accepted already.
  var accepted = Accepted.answered
  var restarts = 20
  /// What has another version in its name on this machine than in the documentation.
  var versions: [String: String] = [:]
  /// Makes what is not a file, in the folder that stands for /srv/app.
  var prepare: (@Sendable (World) throws -> Void)?

  var testDescription: String { name }

  enum Port: Sendable {
    /// Nobody is refused, ever.
    case owned
    /// The program binds it; while it restarts, nobody listens there.
    case guarded
  }

  enum Accepted: Sendable {
    case answered
    /// The program ends without finishing it.
    case mayBreak
  }

  /// The first program that is not there.
  var missing: String? {
    needs.first { program in
      if program.hasPrefix("venv/") { return access("\(Self.root)/.build-recipes/\(program)", X_OK) != 0 }
      if program.hasPrefix("/") { return access(program, X_OK) != 0 }
      return !Self.folders.contains { access("\($0)/\(program)", X_OK) == 0 }
    }
  }

  private static let folders =
    (getenv("PATH").map { String(cString: $0) } ?? "").split(separator: ":").map(String.init)
    + ["/usr/sbin", "/sbin"]

  /// As continuous integration wants it: what is missing is a failure then.
  static let areRequired = getenv("FDSUPERVISOR_RECIPES").map { String(cString: $0) } == "required"

  /// The recipe's text as it is for this machine and this user.
  func adapted(_ text: String) -> String {
    let text = versions.reduce(text) { $0.replacing($1.key, with: $1.value) }
    if geteuid() == 0 { return text }
    // Only root can choose another user.
    return text.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.hasPrefix("user = ") }.joined(separator: "\n")
  }

  /// The last of the paths that a pattern matches, glob(3).
  static func newest(_ pattern: String) -> String? {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(pattern, 0, nil, &found) == 0, let path = found.gl_pathv[Int(found.gl_pathc) - 1] else {
      return nil
    }
    return String(cString: path)
  }

  /// The root of the project.
  static let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
  static let documents = root + "/docs/recipes"
}
