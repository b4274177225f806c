// Writing: one write(2) for one answer.

import Glibc
import Supervisor

enum Output {
  /// Writes lines to stdout.
  static func print(_ lines: [String]) {
    if !lines.isEmpty { write(lines.joined(separator: "\n") + "\n", to: STDOUT_FILENO) }
  }

  /// Writes JSON as it came, on one line.
  ///
  /// DEL and the C1 control characters, which JSON allows in strings, are escaped: a terminal may obey them.
  static func print(json: [UInt8]) {
    var text = [UInt8]()
    text.reserveCapacity(json.count + 1)
    var index = 0
    while index < json.count {
      let byte = json[index]
      if byte == 0x7f {
        text += Array("\\u007f".utf8)
      } else if byte == 0xc2, index + 1 < json.count, (0x80..<0xa0).contains(json[index + 1]) {
        text += Array("\\u00\(String(json[index + 1], radix: 16))".utf8)
        index += 1
      } else {
        text.append(byte)
      }
      index += 1
    }
    text.append(UInt8(ascii: "\n"))
    write(text, to: STDOUT_FILENO)
  }

  /// The columns of the terminal that stdout is, ioctl_tty(2) TIOCGWINSZ; nil when it is none.
  static var width: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    let known = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return known ? Int(size.ws_col) : 80
  }

  /// One line on stderr, with the program's name.
  static func complain(_ message: String) {
    write("fdsupervisorctl: \(ProcessTable.printable(message))\n", to: STDERR_FILENO)
  }

  static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: written), bytes.count - written)
      }
      if count > 0 { written += count } else if errno != EINTR { return }
    }
  }
}
