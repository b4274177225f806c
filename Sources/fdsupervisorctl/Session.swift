// One run against the daemon: where it is, how to answer, and how failures become exit statuses.

import CEarlyCall
import Glibc
import Supervisor

struct Session {
  /// --control; nil: where `reach` looks.
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

  /// Connects, or takes over the connection that a plain command made before the runtime started.
  func connect() throws(Failure) -> Reached {
    let early = early_call_take()
    if early.socket >= 0 {
      let sent = UnsafeRawBufferPointer(start: early.message, count: early.length)
      let client = ControlClient(
        adopting: FileDescriptor(owning: early.socket), path: String(cString: early.path), sent: Array(sent))
      return Reached(client: client, directory: nil)
    }
    return try Self.reach(control)
  }

  struct Reached {
    let client: ControlClient
    /// Whose daemon it is, when it was found by the directory.
    var directory: String?
  }

  /// Connects to the socket that was said, else to that of the nearest directory upwards whose daemon answers, else to
  /// the standard one.
  static func reach(_ control: String?) throws(Failure) -> Reached {
    if let chosen = control ?? environmentValue("FDSUPERVISORD_CONTROL") {
      return Reached(client: try client(of: chosen), directory: nil)
    }
    let folder = RuntimeFolder()
    for nearby in ControlPath.upwards(in: folder) {
      do throws(Failure) {
        return Reached(client: try client(of: nearby.path), directory: nearby.directory)
      } catch  where error.status == ExitStatus.noDaemon { continue }
    }
    let remark = folder.objection.map { "; the daemons of directories are not looked for: \($0)" } ?? ""
    do throws(Failure) {
      guard let path = ControlPath.standard() else {
        throw Failure(
          ExitStatus.noDaemon,
          "no daemon of this directory or one above it, and no other can be told: XDG_RUNTIME_DIR is not set; "
            + "say --control PATH")
      }
      return Reached(client: try client(of: path), directory: nil)
    } catch { throw Failure(error.status, error.message + remark) }
  }

  private static func client(of path: String) throws(Failure) -> ControlClient {
    do throws(ControlClientError) {
      return try ControlClient(path: path)
    } catch { throw failure(error) }
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
    try Self.call(method, json: json, try connect().client, onProgress: onProgress)
  }

  /// The same on a connection that is there.
  static func call(
    _ method: ControlMethod, json: [UInt8], _ client: ControlClient,
    onProgress: ((ControlClient.Reply) -> Void)? = nil
  ) throws(Failure) -> ControlClient.Reply {
    do throws(ControlClientError) {
      return try client.call(method, json, onProgress: onProgress)
    } catch { throw failure(error) }
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
    switch error {
    case .noDaemon: Failure(ExitStatus.noDaemon, error.description)
    case .unreachable(let cause) where cause.code == EACCES:
      Failure(ExitStatus.failed, error.description, isWithoutDaemon: true)
    case .refused(let name, _) where name == ControlError.permissionDenied.rawValue:
      Failure(ExitStatus.failed, error.description, isWithoutDaemon: true)
    case .unreachable, .refused, .lost, .malformed, .callTooLong:
      Failure(ExitStatus.failed, error.description)
    }
  }
}
