// One call of the control protocol whose replies come through the loop: a view goes on while it waits for them.

import Glibc
import Supervisor

/// A call on a connection of its own.
final class LoopCall {
  /// One thing that came back.
  enum Event {
    /// Parameters as JSON; more may follow while `continues`.
    case reply([UInt8], continues: Bool)
    /// The daemon says no: one line.
    case refused(String)
    /// The connection is over, with nothing more to come.
    case ended
  }

  private let socket: FileDescriptor
  private var source: EventSource?
  private var splitter = MessageSplitter(limit: Wire.longestReply)
  private let onEvent: (Event) -> Void
  private var isOver = false

  /// Throws when nobody is at that path.
  init(
    _ method: ControlMethod, _ parameters: some Encodable, more: Bool = false, to path: String,
    loop: EventLoop, _ onEvent: @escaping (Event) -> Void
  ) throws {
    socket = try UnixStream.make(.blocking)
    self.onEvent = onEvent
    try UnixStream.connect(socket, to: path)
    let call = Wire.call(
      "\(ControlMethod.interface).\(method.rawValue)", parameters: try Wire.encode(parameters), more: more)
    // A few hundred bytes: they fit into any socket's buffer.
    _ = try call.withUnsafeBytes { try UnixStream.send($0, to: socket) }
    source = try loop.watch(socket.number) { [weak self] _ in self?.receive() }
  }

  deinit { source?.cancel() }

  /// Waits for nothing any more.
  func cancel() {
    isOver = true
    source?.cancel()
  }

  private func receive() {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    do throws(SystemError) {
      let got = try buffer.withUnsafeMutableBufferPointer { room throws(SystemError) in
        try socket.read(into: UnsafeMutableRawBufferPointer(room))
      }
      if got == 0 { return end() }
      splitter.append(buffer[..<got])
    } catch {
      return end()
    }
    do throws(WireError) {
      while !isOver, let message = try splitter.next() { take(message) }
    } catch {
      end()
    }
  }

  private func take(_ message: [UInt8]) {
    guard let object = JSONObject(message) else { return end() }
    let parameters = object["parameters"].map { [UInt8]($0) } ?? Array("{}".utf8)
    if let error = object.string("error") {
      onEvent(.refused(JSONObject(parameters)?.string("message") ?? error))
      return
    }
    onEvent(.reply(parameters, continues: object.flag("continues")))
  }

  private func end() {
    guard !isOver else { return }
    cancel()
    onEvent(.ended)
  }
}
