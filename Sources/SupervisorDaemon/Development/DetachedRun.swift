// `run --detach`: starts the program once more, in a session of its own, and waits until it is heard or has failed.

import CLinux
import Glibc
import Supervisor

enum DetachedRun {
  /// Between two looks whether it can be connected to.
  private static let pause: Duration = .milliseconds(10)
  private static let patience: Duration = .seconds(30)

  /// Starts it; what it says until then is said here, and its exit status is ours when it fails.
  static func start(_ control: String) throws(StartupError) -> Int32 {
    do throws(SystemError) {
      let null = try FileDescriptor.open("/dev/null", O_RDWR)
      var ends: [CInt] = [-1, -1]
      if cl_pipe(&ends) == -1 { throw SystemError("make a pipe") }
      let reading = FileDescriptor(owning: ends[0])
      let pid = try spawn(null.number, ends[1])
      return try wait(for: pid, reading, control)
    } catch {
      throw StartupError(description: "fdsupervisord: cannot start in the background: \(error)")
    }
  }

  /// The same words, but for the one that says where.
  private static var words: [String] {
    let given = CommandLine.arguments.dropFirst()
    let options = given.prefix { $0 != "--" }.filter { $0 != "--detach" && $0 != "-d" }
    return ["fdsupervisord"] + options + [RunArguments.detachedFlag] + given.drop { $0 != "--" }
  }

  private static func spawn(_ null: CInt, _ output: CInt) throws(SystemError) -> Int32 {
    defer { close(output) }
    var pid: pid_t = 0
    let program = "/proc/self/exe"
    let code = withCStringArray(words) { cl_spawn(program, $0, [null, null, output], 3, &pid) }
    if code != 0 { throw SystemError("start", program, code: code) }
    return pid
  }

  private static func wait(
    for pid: Int32, _ output: borrowing FileDescriptor, _ control: String
  ) throws(SystemError) -> Int32 {
    let deadline = Clock.now() + patience
    while true {
      if try relay(output) == .over { return status(of: pid) }
      if isHeard(at: control) { break }
      if Clock.now() > deadline {
        Program.complain("fdsupervisord: it did not start within \(patience.text); pid \(pid) goes on trying")
        return 1
      }
      Clock.pause(pause)
    }
    _ = try relay(output)
    print(
      "fdsupervisord: in the background, pid \(pid); \"fdsupervisord run\" shows it, "
        + "\"fdsupervisorctl shutdown\" ends it"
    )
    return 0
  }

  private enum Life { case goesOn, over }

  /// Hands on what it says.
  private static func relay(_ output: borrowing FileDescriptor) throws(SystemError) -> Life {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = Glibc.read(output.number, &buffer, buffer.count)
      if count == 0 { return .over }
      if count == -1, errno == EINTR { continue }
      if count == -1, errno == EAGAIN { return .goesOn }
      if count == -1 { throw SystemError("read what it says") }
      Program.complain(String(decoding: buffer.prefix(count), as: UTF8.self))
    }
  }

  private static func isHeard(at control: String) -> Bool {
    do throws(ControlClientError) {
      // An answer, not just a connection: it has opened its sockets by then.
      _ = try ControlClient(path: control).call(
        .status, ServiceSelection(names: [], all: true), as: StatusReply.self)
      return true
    } catch {
      return false
    }
  }

  private static func status(of pid: Int32) -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) == -1, errno == EINTR {}
    // As a shell tells it: the status, or 128 and the signal (wait(2), WIFEXITED).
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  }
}
