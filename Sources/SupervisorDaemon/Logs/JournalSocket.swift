// Entries for the journal, in its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
// Not sd_journal_sendv(3): its sendmsg(2) waits when journald is stopped, and nothing may make us wait.

import CLinux
import Glibc
import Supervisor

/// A datagram socket to journald, which never waits for it.
package final class JournalSocket {
  private let path: String
  private var socket: SocketBox?

  /// A descriptor can't be an optional that is replaced while it is in use.
  private final class SocketBox {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
  }

  package init(path: String = "/run/systemd/journal/socket") { self.path = path }

  /// Sends one entry.
  ///
  /// False when journald is not there or does not read: then it is not in the journal.
  package func send(_ fields: [(name: String, value: String)]) -> Bool { send(Self.entry(fields)) }

  func send(_ entry: [UInt8]) -> Bool {
    // A restarted journald has another socket: the old one says ECONNREFUSED or ENOTCONN, once.
    for _ in 0..<2 {
      guard let socket = connected() else { return false }
      let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
      let sent = entry.withUnsafeBytes {
        Glibc.send(socket.descriptor.number, $0.baseAddress, $0.count, flags)
      }
      if sent >= 0 { return true }
      if errno == EAGAIN || errno == EMSGSIZE || errno == ENOBUFS { return false }
      self.socket = nil
    }
    return false
  }

  /// NAME=value, one a line; a value of several lines is preceded by its length, 64 bit little endian.
  static func entry(_ fields: [(name: String, value: String)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for (name, value) in fields {
      let value = Array(value.utf8)
      bytes += Array(name.utf8)
      if value.contains(newline) {
        bytes.append(newline)
        withUnsafeBytes(of: UInt64(value.count).littleEndian) { bytes.append(contentsOf: $0) }
      } else {
        bytes.append(UInt8(ascii: "="))
      }
      bytes += value
      bytes.append(newline)
    }
    return bytes
  }

  private func connected() -> SocketBox? {
    if let socket { return socket }
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    let number = Glibc.socket(AF_UNIX, type, 0)
    guard number >= 0 else { return nil }
    let descriptor = FileDescriptor(owning: number)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
      guard path.utf8.count < room.count else { return false }
      room.copyBytes(from: path.utf8)
      return true
    }
    guard fits else { return nil }
    // connect(2) of a datagram socket does not wait for the other side.
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else { return nil }
    socket = SocketBox(descriptor)
    return socket
  }
}
