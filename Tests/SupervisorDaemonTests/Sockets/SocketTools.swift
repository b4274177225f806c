// What the tests of sockets share: a folder of their own, clients, a look at descriptors.

import Glibc
import Supervisor
import SupervisorDaemon
import Testing

/// A folder that goes with its owner, with all that is in it.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/sockets-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
    try #require(made)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in entries { unlink(path + "/" + name) }
    rmdir(path)
  }

  var entries: [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  func address(_ kind: SocketAddress.UnixKind = .stream, _ name: String = "s") -> SocketAddress {
    .unix(kind, .path(path + "/" + name))
  }
}

let loopback = IPAddress.v4(0x7f00_0001)

func definition(
  _ addresses: SocketAddress..., named name: String = "web",
  _ change: (inout SocketOptions) -> Void = { _ in }
) -> SocketDefinition {
  var options = SocketOptions()
  change(&options)
  return SocketDefinition(name: name, addresses: addresses, options: options)
}

/// Opens the one listener of a definition.
func openOne(_ definition: SocketDefinition) throws -> Listener {
  let listeners = try ListenerOpener.open(definition)
  return try #require(listeners.first)
}

/// Opens a listener at a port that is given: one that the kernel chose while binding to port 0 is let go by
/// shutdown(2), which a configured one is not.
func openAtGivenPort(_ make: (UInt16) -> SocketAddress) throws -> Listener {
  var attempts = 0
  while true {
    let free = try openOne(definition(make(0)))
    let address = make(try #require(free.address.port))
    _ = free.close()
    do {
      return try openOne(definition(address))
    } catch let error as SocketError {
      attempts += 1
      if error.kind != .addressInUse || attempts == 20 { throw error }
    }
  }
}

/// The error of opening.
func failure(_ definition: SocketDefinition) -> SocketError? {
  #expect(throws: SocketError.self) { _ = try ListenerOpener.open(definition) }
}

/// A bare socket of the kind that an address wants, written without the code under test.
struct RawSocket: ~Copyable {
  let fd: CInt

  init(_ address: SocketAddress) {
    let type: CInt =
      switch address {
      case .tcp, .unix(.stream, _): 1
      case .udp, .unix(.datagram, _): 2
      case .unix(.sequencedPacket, _): 5
      }
    let family = address.ip.map { $0.isV6 ? AF_INET6 : AF_INET } ?? AF_UNIX
    fd = socket(family, type | 0o2000000 /* SOCK_CLOEXEC */, 0)
  }

  init(owning fd: CInt) { self.fd = fd }

  /// Another descriptor of the same open file description, as a service has it.
  init(sharing other: CInt) { fd = fcntl(other, F_DUPFD_CLOEXEC, 0) }

  deinit { close(fd) }

  /// Returns 0, or errno, after a second at most.
  func connect(to address: SocketAddress) -> Int32 {
    var limit = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    return withRaw(address) { Glibc.connect(fd, $0, $1) } == 0 ? 0 : errno
  }

  func bind(to address: SocketAddress) -> Int32 {
    withRaw(address) { Glibc.bind(fd, $0, $1) } == 0 ? 0 : errno
  }

  func send(_ byte: UInt8) -> Int {
    var byte = byte
    return Glibc.send(fd, &byte, 1, 0x4000 /* MSG_NOSIGNAL */)
  }
}

/// 0, or the errno of connecting to an address.
func connectOnce(_ address: SocketAddress) -> Int32 { RawSocket(address).connect(to: address) }

/// The next byte or, for sockets that accept, of the next connection; nil when none comes within a second.
func receive(_ listener: Listener) -> UInt8? {
  guard isReadable(listener.number) else { return nil }
  var byte: UInt8 = 0
  guard listener.address.accepts else { return recv(listener.number, &byte, 1, 0) == 1 ? byte : nil }
  let connection = RawSocket(owning: accept(listener.number, nil, nil))
  guard isReadable(connection.fd) else { return nil }
  return recv(connection.fd, &byte, 1, 0) == 1 ? byte : nil
}

func isReadable(_ fd: CInt, milliseconds: CInt = 1000) -> Bool {
  var one = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
  return poll(&one, 1, milliseconds) == 1 && one.revents & Int16(POLLIN) != 0
}

/// One message from a client arrives at the listener.
func expectServing(
  _ listener: Listener, at address: SocketAddress? = nil, _ place: SourceLocation = #_sourceLocation
) {
  let client = RawSocket(address ?? listener.address)
  #expect(client.connect(to: address ?? listener.address) == 0, sourceLocation: place)
  #expect(client.send(42) == 1, sourceLocation: place)
  #expect(receive(listener) == 42, sourceLocation: place)
}

func option(_ fd: CInt, _ level: CInt, _ name: CInt) -> CInt {
  var value: CInt = -1
  var length = socklen_t(MemoryLayout<CInt>.size)
  return getsockopt(fd, level, name, &value, &length) == 0 ? value : -1
}

func fileStatus(_ path: String) -> stat? {
  var result = stat()
  return lstat(path, &result) == 0 ? result : nil
}

/// How many descriptors of this process are open.
///
/// The runtime opens some of its own at any time.
func openDescriptors() -> Int { descriptors { _ in true } }

/// How many of them are sockets.
func openSockets() -> Int { descriptors { $0.st_mode & S_IFMT == S_IFSOCK } }

private func descriptors(_ wanted: (stat) -> Bool) -> Int {
  (CInt(0)..<4096).count { number in
    var status = stat()
    return fstat(number, &status) == 0 && wanted(status)
  }
}

private func withRaw<Result>(
  _ address: SocketAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
  var bytes = [UInt8](repeating: 0, count: 128)
  var length = 0
  func put(_ value: [UInt8]) {
    for byte in value {
      bytes[length] = byte
      length += 1
    }
  }
  func family(_ value: CInt) { put([UInt8(value), 0]) }
  switch address {
  case .tcp(let ip, let port), .udp(let ip, let port):
    family(ip.isV6 ? AF_INET6 : AF_INET)
    put([UInt8(port >> 8), UInt8(port & 255)])
    switch ip {
    case .v4(let bits): put([24, 16, 8, 0].map { UInt8(bits >> $0 & 255) } + [UInt8](repeating: 0, count: 8))
    case .v6(let six, _):
      put([0, 0, 0, 0] + (0..<16).map { six[$0] } + [0, 0, 0, 0])
    }
  case .unix(_, .path(let path)):
    family(AF_UNIX)
    put(Array(path.utf8) + [0])
  case .unix(_, .abstract(let name)):
    family(AF_UNIX)
    put([0] + Array(name.utf8))
  }
  return bytes.withUnsafeBytes { raw in
    raw.withMemoryRebound(to: sockaddr.self) { rebound in
      guard let base = rebound.baseAddress else { preconditionFailure("no bytes") }
      return body(base, socklen_t(length))
    }
  }
}
