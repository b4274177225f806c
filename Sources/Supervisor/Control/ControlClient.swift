// The caller's side of the control protocol. It blocks: a command line has nothing else to do.

import Glibc

/// A connection to the daemon.
package final class ControlClient {
  private let path: String
  private let socket: FileDescriptor
  private var splitter = MessageSplitter(limit: Wire.longestReply)
  private var buffer = [UInt8](repeating: 0, count: 16 << 10)

  /// How long to wait for a place in the daemon's backlog, in seconds.
  private static let connectTimeout = 10

  package init(path: String) throws(ControlClientError) {
    self.path = path
    do throws(SystemError) {
      socket = try UnixStream.make(.blocking)
      // SO_SNDTIMEO bounds connect(2) too (socket(7)): a stopped daemon's backlog can be full.
      var limit = timeval(tv_sec: Self.connectTimeout, tv_usec: 0)
      setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
      try UnixStream.connect(socket, to: path)
    } catch {
      switch error.code {
      case ENOENT, ENOTDIR, ECONNREFUSED: throw .noDaemon(path: path, code: error.code)
      default: throw .unreachable(error)
      }
    }
  }

  /// A reply, its parameters still as JSON.
  package struct Reply {
    package let parameters: [UInt8]
    package let continues: Bool

    package func decode<Value: Decodable>(_ type: Value.Type) throws(ControlClientError) -> Value {
      do throws(WireError) {
        return try Wire.decode(type, from: parameters)
      } catch { throw .malformed(error) }
    }
  }

  /// Calls a method and waits for its last reply; with `onProgress` the call says `more`.
  ///
  /// `parameters` is a JSON object.
  package func call(
    _ method: ControlMethod, _ parameters: [UInt8],
    onProgress: ((Reply) -> Void)? = nil
  ) throws(ControlClientError) -> Reply {
    try send(
      Wire.call(
        "\(ControlMethod.interface).\(method.rawValue)", parameters: parameters, more: onProgress != nil))
    while true {
      let reply = try receive()
      if !reply.continues { return reply }
      onProgress?(reply)
    }
  }

  /// The same with typed parameters and reply.
  package func call<Value: Decodable>(
    _ method: ControlMethod, _ parameters: some Encodable, as type: Value.Type
  ) throws(ControlClientError) -> Value {
    let bytes: [UInt8]
    do throws(WireError) {
      bytes = try Wire.encode(parameters)
    } catch { throw .malformed(error) }
    return try call(method, bytes).decode(type)
  }

  private func send(_ message: [UInt8]) throws(ControlClientError) {
    if message.count > Wire.longestCall { throw .callTooLong(bytes: message.count) }
    do throws(SystemError) {
      var sent = 0
      while sent < message.count {
        sent += try message.withUnsafeBufferPointer { bytes throws(SystemError) in
          try UnixStream.send(
            UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[sent...])), to: socket)
        }
      }
    } catch {
      // A daemon that refuses closes at once: why, is to be read, not written.
      if error.code != EPIPE && error.code != ECONNRESET { throw .unreachable(error) }
    }
  }

  private func receive() throws(ControlClientError) -> Reply {
    while true {
      let message: [UInt8]?
      do throws(WireError) {
        message = try splitter.next()
      } catch { throw .malformed(error) }
      if let message { return try reply(from: message) }
      try readMore()
    }
  }

  private func readMore() throws(ControlClientError) {
    do throws(SystemError) {
      let got = try buffer.withUnsafeMutableBufferPointer { room throws(SystemError) in
        try socket.read(into: UnsafeMutableRawBufferPointer(room))
      }
      if got == 0 { throw SystemError("read", code: ECONNRESET) }
      splitter.append(buffer[..<got])
    } catch {
      throw error.code == ECONNRESET ? .lost(path: path) : .unreachable(error)
    }
  }

  private func reply(from message: [UInt8]) throws(ControlClientError) -> Reply {
    guard let object = JSONObject(message) else { throw .malformed(.malformed) }
    let parameters = object["parameters"].map { [UInt8]($0) } ?? Array("{}".utf8)
    guard let error = object.string("error") else {
      return Reply(parameters: parameters, continues: object.flag("continues"))
    }
    throw Self.refusal(error, parameters)
  }

  private static func refusal(_ error: String, _ parameters: [UInt8]) -> ControlClientError {
    let name = error.split(separator: ".").last.map(String.init) ?? error
    if error.hasPrefix(ControlMethod.interface + "."), let message = JSONObject(parameters)?.string("message")
    {
      return .refused(name: name, message: message)
    }
    let text = String(decoding: parameters, as: UTF8.self)
    return .refused(
      name: name, message: "the daemon refused the call: \(name) \(text); is it the same version?")
  }
}
