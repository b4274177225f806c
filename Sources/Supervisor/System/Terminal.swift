// What a terminal is called, by the number that /proc/PID/stat has of it.

import Glibc

package enum Terminal {
  /// "pts/3", "tty1", "ttyS0"; "" when it is none, or of a kind that nobody knows.
  ///
  /// The number is that of proc_pid_stat(5), tty_nr: the minor number in bits 31 to 20 and 7 to 0, the major in
  /// 15 to 8.
  /// Which major means which is in the kernel's Documentation/admin-guide/devices.txt.
  package static func name(ofDevice number: UInt32) -> String {
    let major = number >> 8 & 0xff
    let minor = number & 0xff | number >> 12 & 0xfff00
    switch (major, minor) {
    case (0, _): return ""
    case (136...143, _): return "pts/\(minor + (major - 136) * 256)"
    case (4, 0..<64): return "tty\(minor)"
    case (4, _): return "ttyS\(minor - 64)"
    default: return nameInSysfs(major, minor)
    }
  }

  /// The last part of where /sys/dev/char/MAJOR:MINOR leads, sysfs(5).
  private static func nameInSysfs(_ major: UInt32, _ minor: UInt32) -> String {
    var link = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/sys/dev/char/\(major):\(minor)", &link, link.count)
    guard length > 0 else { return "" }
    let path = String(decoding: link.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return ProcessTable.printable(path.split(separator: "/").last.map(String.init) ?? "")
  }
}
