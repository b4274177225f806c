// One run against the daemon: where it is, how to answer, and how failures become exit statuses.

import Glibc
import Supervisor

struct Session {
  /// --control; nil: the standard place.
  var control: String?
  var format: Format

  enum Format { case text, json }

  /// Runs a command, says why it failed, and gives the exit status.
  func run(_ body: (Session) throws(Failure) -> Int32) -> Int32 {
    do throws(Failure) {
      return try body(self)
    } catch {
      Output.complain(error.message)
      return error.status
    }
  }

  var style: TerminalStyle {
    TerminalStyle.of(descriptor: STDOUT_FILENO) { name in getenv(name).map { String(cString: $0) } }
  }

  /// Connects.
  func connect() throws(Failure) -> ControlClient {
    guard let path = control ?? ControlPath.standard() else {
      throw Failure(
        ExitStatus.noDaemon, "cannot tell where the daemon is: XDG_RUNTIME_DIR is not set; say --control PATH"
      )
    }
    do throws(ControlClientError) {
      return try ControlClient(path: path)
    } catch { throw Self.failure(error) }
  }

  /// Calls a method once and gives its last reply.
  func call(
    _ method: ControlMethod, _ parameters: some Encodable,
    onProgress: ((ControlClient.Reply) -> Void)? = nil
  ) throws(Failure) -> ControlClient.Reply {
    try call(method, json: try Self.encode(parameters), onProgress: onProgress)
  }

  /// The same with parameters that are JSON already.
  func call(
    _ method: ControlMethod, json: [UInt8], onProgress: ((ControlClient.Reply) -> Void)? = nil
  ) throws(Failure) -> ControlClient.Reply {
    let client = try connect()
    do throws(ControlClientError) {
      return try client.call(method, json, onProgress: onProgress)
    } catch { throw Self.failure(error) }
  }

  /// Prints a reply: its JSON, or the lines that are made of it.
  func show<Value: Decodable>(
    _ reply: ControlClient.Reply, as type: Value.Type, _ lines: (Value) -> [String]
  ) throws(Failure) {
    if format == .json { return Output.print(json: reply.parameters) }
    Output.print(lines(try Self.decode(reply, type)))
  }

  static func decode<Value: Decodable>(_ reply: ControlClient.Reply, _ type: Value.Type) throws(Failure)
    -> Value
  {
    do throws(ControlClientError) {
      return try reply.decode(type)
    } catch { throw failure(error) }
  }

  static func encode(_ value: some Encodable) throws(Failure) -> [UInt8] {
    do throws(WireError) {
      return try Wire.encode(value)
    } catch { throw Failure(ExitStatus.failed, "cannot ask the daemon: \(error)") }
  }

  /// Gives each error of the client its exit status.
  static func failure(_ error: ControlClientError) -> Failure {
    if case .noDaemon = error { return Failure(ExitStatus.noDaemon, error.description) }
    return Failure(ExitStatus.failed, error.description)
  }
}
