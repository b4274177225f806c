// The last lines of a log file, read back from its end, over its rotated files where needed.

import Glibc
import Supervisor

struct LogTail {
  /// Bytes that are read at most, whatever is asked for.
  private static let limit = 1 << 20
  private static let step = 64 << 10

  private let definition: LogFileDefinition

  init(_ definition: LogFileDefinition) { self.definition = definition }

  func lines(_ count: Int) -> [String] {
    guard count > 0 else { return [] }
    var found: [UInt8] = []
    for number in 0...max(0, definition.keep) {
      let path = number == 0 ? definition.path : "\(definition.path).\(number)"
      // A last line may have been split over two files: then they simply follow each other.
      guard prepend(endOf: path, to: &found, until: count) else { break }
    }
    return LogText.lastLines(count, of: found)
  }

  /// False when enough was found, or the file can't be read.
  private func prepend(endOf path: String, to found: inout [UInt8], until count: Int) -> Bool {
    do throws(SystemError) {
      let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
      let status = try file.status()
      guard status.st_mode & S_IFMT == S_IFREG else { return false }
      var end = Int(status.st_size)
      while end > 0 {
        // One newline more than lines: the one that ends the line before.
        guard found.withUnsafeBytes({ newlines(in: $0) }) <= count, found.count < Self.limit else {
          return false
        }
        let start = max(0, end - Self.step)
        found.insert(contentsOf: try file.bytes(at: start..<end), at: 0)
        end = start
      }
      return true
    } catch {
      return false
    }
  }
}
