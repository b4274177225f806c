// .gitignore files as they lie in folders, and those that git reads for a folder from above it.

import Glibc
import Supervisor

enum GitignoreFiles {
  static let name = Array(".gitignore".utf8)
  /// More than anybody writes; the rest of a longer one is not read.
  private static let longest = 1 << 20
  /// A folder lies at most so deep in a repository.
  private static let deepest = 64

  /// The patterns of a file; nil when there is none.
  static func read(_ path: String) -> PatternList? {
    do throws(SystemError) {
      // Never a link, as git has it, and O_NONBLOCK, because it may be a FIFO by now.
      let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
      guard try file.status().st_mode & S_IFMT == S_IFREG else { return nil }
      let list = PatternList(gitignore: try contents(of: file))
      return list.isEmpty ? nil : list
    } catch {
      return nil
    }
  }

  private static func contents(of file: borrowing FileDescriptor) throws(SystemError) -> [UInt8] {
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16384)
    while text.count < longest {
      let number = file.number
      let count = try retrying("read a .gitignore file") {
        buffer.withUnsafeMutableBytes { Glibc.read(number, $0.baseAddress, $0.count) }
      }
      if count == 0 { break }
      text += buffer[..<count]
    }
    return text
  }

  /// For a folder in a repository: .git/info/exclude, and the .gitignore files of the folders above it.
  static func above(_ folder: String) -> [FolderRules] {
    var found: [FolderRules] = []
    var prefix: PathNames = []
    var place = folder[...]
    for _ in 0..<deepest {
      let path = String(place)
      if !prefix.isEmpty, let patterns = read(path + "/.gitignore") {
        found.append(FolderRules(depth: 0, prefix: prefix, patterns: patterns))
      }
      var status = stat()
      if lstat(path + "/.git", &status) == 0 {
        if let patterns = read(path + "/.git/info/exclude") {
          found.append(FolderRules(depth: 0, prefix: prefix, patterns: patterns))
        }
        return found.reversed()
      }
      guard let slash = place.lastIndex(of: "/"), place.count > 1 else { break }
      prefix.insert(Array(place[place.index(after: slash)...].utf8), at: 0)
      place = place[..<slash]
    }
    // No repository: nobody's rules are meant for this folder.
    return []
  }
}
