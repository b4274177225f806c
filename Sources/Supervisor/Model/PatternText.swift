// Patterns as they are written: what can't match is a mistake of the writer, told before anything is watched. Pure.

package enum PatternText {
  /// Why a pattern can't match anything below a folder; nil when it can.
  ///
  /// An error, not a remark: it would only show by changes that nobody is told of.
  package static func problem(with text: String) -> String? {
    let path = text.hasPrefix("!") ? text.dropFirst() : text[...]
    if path.allSatisfy({ $0 == "/" || $0 == " " }) { return "the pattern matches nothing" }
    if path.utf8.contains(0) { return "the pattern contains a null byte" }
    // gitignore(5) would take it for a comment.
    if path.hasPrefix("#"), path.startIndex == text.startIndex {
      return "the pattern begins with '#', which is a comment; write '\\#'"
    }
    let folders = path.split(separator: "/")
    if folders.contains("..") || folders.contains(".") {
      return
        "the pattern has '.' or '..' in it; patterns go down from the folder that is watched, without them"
    }
    return nil
  }

  /// What people and shells write on a command line, as a pattern: "./src", "." and paths below the folder.
  ///
  /// Anchored, as such a path is: "./server.py" is not any server.py.
  ///
  /// - Parameter folder: an absolute path.
  package static func relative(_ word: String, to folder: String) -> String {
    let isNegated = word.hasPrefix("!")
    let path = word.dropFirst(isNegated ? 1 : 0)
    return (isNegated ? "!" : "") + below(path, folder)
  }

  private static func below(_ path: Substring, _ folder: String) -> String {
    if path == "." || path == "./" || path == folder || path == folder + "/" { return "*" }
    if path.hasPrefix("./") { return String(path.dropFirst(1)) }
    if folder != "/", path.hasPrefix(folder + "/") { return String(path.dropFirst(folder.count)) }
    return String(path)
  }
}
