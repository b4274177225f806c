// A client of a service, and other things at the other end of a socket.

import CLinux
import Glibc
import Supervisor
import Testing

/// A TCP connection to a service of the fixture, which answers with its pid and closes.
final class Client {
  private let socket: FileDescriptor

  /// Seconds for one connection or one answer.
  private static let patience = 15

  /// Connects, without waiting for an answer: the kernel does that as long as somebody listens.
  init(_ address: String) throws {
    socket = try Self.make(SOCK_STREAM)
    let number = socket.number
    let code = try withSocketAddress(address) { connect(number, $0, $1) == 0 ? 0 : errno }
    if code != 0 { throw SystemError("connect to", address, code: code) }
  }

  static func make(_ type: __socket_type, family: Int32 = AF_INET) throws -> FileDescriptor {
    let flags = Int32(type.rawValue | SOCK_CLOEXEC.rawValue)
    let result = FileDescriptor(
      owning: try retrying("create a socket") { Glibc.socket(family, flags, 0) })
    var limit = timeval(tv_sec: patience, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(result.number, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    return result
  }

  /// The pid of whoever answered.
  func answer() throws -> Int32 {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64)
    while true {
      let count = try buffer.withUnsafeMutableBytes { try socket.read(into: $0) }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    let text = String(decoding: bytes, as: UTF8.self)
    return try #require(Int32(text.split(separator: "\n").first ?? ""), "the answer was \"\(text)\"")
  }

  /// The port at this end.
  var port: UInt16 {
    var own = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &own) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket.number, $0, &length) }
    }
    return UInt16(bigEndian: own.sin_port)
  }

  /// Everything until the other side closes.
  func text() throws -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = try buffer.withUnsafeMutableBytes { try socket.read(into: $0) }
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer[..<count]
    }
  }

  /// The next line, byte by byte: what follows stays.
  func line() throws -> String {
    var bytes: [UInt8] = []
    var buffer: [UInt8] = [0]
    while try buffer.withUnsafeMutableBytes({ try socket.read(into: $0) }) == 1,
      buffer[0] != UInt8(ascii: "\n")
    {
      bytes += buffer
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  func say(_ text: String) throws {
    var bytes = Array(text.utf8)
    _ = try bytes.withUnsafeMutableBytes { try socket.write(UnsafeRawBufferPointer($0)) }
  }

  /// Whether something is there to be read.
  var hasAnswer: Bool {
    var question = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
    return poll(&question, 1, 0) == 1
  }

  /// Says that no more comes.
  func close() { _ = shutdown(socket.number, Int32(SHUT_WR)) }

  /// What a web server answers to a request for its root.
  static func get(_ address: String) throws -> String {
    let client = try Client(address)
    try client.say("GET / HTTP/1.0\r\nHost: \(address)\r\n\r\n")
    var answer = [UInt8](repeating: 0, count: 4096)
    let count = try answer.withUnsafeMutableBytes { try client.socket.read(into: $0) }
    return String(decoding: answer.prefix(count), as: UTF8.self)
  }

  /// The whole answer of a web server that closes after it.
  static func page(_ address: String) throws -> String {
    let client = try Client(address)
    try client.say("GET / HTTP/1.0\r\nHost: \(address)\r\n\r\n")
    return try client.text()
  }

  /// Connects and waits for the answer.
  static func ask(_ address: String) throws -> Int32 { try Client(address).answer() }

  /// Whether nobody listens.
  static func isRefused(_ address: String) throws -> Bool {
    do {
      _ = try Client(address)
      return false
    } catch let error as SystemError where error.code == ECONNREFUSED {
      return true
    }
  }
}

/// A listener of the test itself: a stranger, for the daemon.
func listener(on address: String) throws -> FileDescriptor {
  let socket = try Client.make(SOCK_STREAM)
  let number = socket.number
  var one: Int32 = 1
  setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
  let code = try withSocketAddress(address) {
    bind(number, $0, $1) == 0 && listen(number, 16) == 0 ? 0 : errno
  }
  if code != 0 { throw SystemError("bind", address, code: code) }
  return socket
}

/// Runs a call with "IP:PORT" as the kernel wants it.
func withSocketAddress<Result>(
  _ text: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) throws -> Result {
  let parts = text.split(separator: ":")
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = try #require(UInt16(parts[1])).bigEndian
  #expect(inet_pton(AF_INET, String(parts[0]), &address.sin_addr) == 1)
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}
