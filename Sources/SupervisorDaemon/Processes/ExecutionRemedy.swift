// What to do about a program that the kernel would not execute, execve(2).

import Glibc
import Supervisor

enum ExecutionRemedy {
  /// The end of the message: "; …", or "" when errno says it all.
  static func text(for error: Int32, programs: [String]) -> String {
    let found = programs.first { access($0, F_OK) == 0 }
    switch error {
    case ENOENT:
      guard let found else {
        return programs.count > 1 ? "; it is in none of the folders of PATH" : ""
      }
      return
        "; the file is there, but its interpreter\(interpreter(of: found).map { " \"\($0)\"" } ?? "") is not"
    case EACCES:
      guard let found else { return "" }
      var status = stat()
      if stat(found, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return "; it is a directory" }
      return "; make it executable: chmod +x \(found)"
    case ENOEXEC: return "; it is neither a program for this machine nor a script that begins with #!"
    case E2BIG: return "; one string may have 128 KiB, and all of them together a quarter of the stack limit"
    default: return ""
    }
  }

  /// What a script's first line names, up to 128 bytes.
  private static func interpreter(of path: String) -> String? {
    guard let bytes = contents(ofSmallFile: path, limit: 128), bytes.starts(with: Array("#!".utf8)) else {
      return nil
    }
    let line = bytes.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
    let name = String(decoding: line, as: UTF8.self).split(separator: " ").first.map(String.init)
    return name.map(ProcessTable.printable)
  }
}
