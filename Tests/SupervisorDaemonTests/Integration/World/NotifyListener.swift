// What the daemon tells whoever started it, and a service manager's descriptor store.

import CLinux
import Glibc
import Supervisor
import Testing

/// The other end of sd_notify(3).
final class NotifyListener {
  let path: String
  private let socket: FileDescriptor
  /// Each message's lines, in the order of their arrival.
  private(set) var messages: [[String]] = []
  /// What lies in the store, by FDNAME.
  private(set) var store: [String: StoredDescriptor] = [:]

  final class StoredDescriptor {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    var inode: UInt64 {
      get throws { UInt64(try descriptor.status().st_ino) }
    }
  }

  init(_ path: String) throws {
    self.path = path
    unlink(path)
    let flags = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    socket = FileDescriptor(owning: try retrying("create a socket") { Glibc.socket(AF_UNIX, flags, 0) })
    let number = socket.number
    let code = try UnixStream.withAddress(of: path) { bind(number, $0, $1) == 0 ? 0 : errno }
    if code != 0 { throw SystemError("bind", path, code: code) }
    // A daemon under another user may send to it.
    chmod(path, 0o777)
  }

  /// Takes what has come, and says whether this line was among it, ever.
  func hasSaid(_ line: String) throws -> Bool {
    takeMessages()
    return messages.contains { $0.contains(line) }
  }

  /// Takes what has come; the values that a variable ever had.
  func values(of name: String) -> [String] {
    takeMessages()
    return messages.joined().filter { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
  }

  /// Does what systemd does with FDSTORE=1 and FDSTOREREMOVE=1; any other descriptor is closed.
  func takeMessages() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      var received = cl_received()
      buffer.withUnsafeMutableBytes { cl_receive(socket.number, $0.baseAddress, $0.count, &received) }
      if received.length < 0 { return }
      let lines = String(decoding: buffer[..<received.length], as: UTF8.self).split(separator: "\n")
        .map(String.init)
      messages.append(lines)
      let name = lines.first { $0.hasPrefix("FDNAME=") }.map { String($0.dropFirst(7)) }
      let numbers = withUnsafeBytes(of: &received.descriptors) { bytes in
        Array(bytes.bindMemory(to: CInt.self).prefix(Int(received.descriptor_count)))
      }
      for number in numbers {
        let stored = StoredDescriptor(FileDescriptor(owning: number))
        if let name, lines.contains("FDSTORE=1") { store[name] = stored }
      }
      if let name, lines.contains("FDSTOREREMOVE=1") { store[name] = nil }
    }
  }
}
