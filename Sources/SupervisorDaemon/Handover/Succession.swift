// The step from one program to the next in the same process, execve(2), and the way back.

import CLinux
import Glibc
import Supervisor

/// What a successor is told on its command line.
package struct Inheritance: Hashable, Sendable {
  /// The descriptor of the state.
  package var state: CInt
  /// The descriptor of the program before, to go back to.
  package var former: CInt
  /// Why the successor gave up, when this is the program before once more.
  package var failure: String?

  package init(state: CInt, former: CInt, failure: String? = nil) {
    self.state = state
    self.former = former
    self.failure = failure
  }

  package static let option = "--take-over"
  package static let failureOption = "--because"

  /// "57:58"; nil for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let state = CInt(parts[0]), let former = CInt(parts[1]), state >= 0, former >= 0
    else { return nil }
    self.init(state: state, former: former)
  }

  var arguments: [String] {
    [Self.option, "\(state):\(former)"] + (failure.map { [Self.failureOption, $0] } ?? [])
  }

  /// argv without what only a successor is told.
  package static func removed(from arguments: [String]) -> [String] {
    var result: [String] = []
    var rest = arguments[...]
    while let word = rest.popFirst() {
      if word == option || word == failureOption { _ = rest.popFirst() } else { result.append(word) }
    }
    return result
  }
}

package enum Succession {
  /// Executes a program in the place of this one; it returns only when that fails, with why.
  ///
  /// - Parameter descriptors: what stays open, beside 0, 1 and 2.
  package static func execute(
    _ program: String, _ arguments: [String], keeping descriptors: [CInt]
  ) -> SystemError {
    for number in descriptors { _ = cl_fcntl(number, F_SETFD, 0) }
    var error = SystemError("execute", program, code: 0)
    withCStringArray(arguments) { words in
      execve(program, words, environ)
      error.code = errno
    }
    for number in descriptors { _ = cl_fcntl(number, F_SETFD, Int(FD_CLOEXEC)) }
    return error
  }

  /// The program of this process, whatever became of its file; for `Inheritance.former`.
  package static func image() throws(SystemError) -> FileDescriptor {
    try FileDescriptor.open("/proc/self/exe", pathOnly)
  }

  /// O_PATH, open(2), which Swift's Glibc module does not show.
  private static let pathOnly: CInt = 0o10000000

  /// The path under which a successor of this program will lie.
  ///
  /// The first argument where it is a path to this very program, for that may lead over a link that is turned;
  /// else what /proc/self/exe says at the start, before the file is replaced (proc(5)).
  package static func ownPath(argument: String?) throws(SystemError) -> String {
    var (own, named) = (stat(), stat())
    if let argument, argument.hasPrefix("/"), stat("/proc/self/exe", &own) == 0, stat(argument, &named) == 0,
      own.st_dev == named.st_dev, own.st_ino == named.st_ino
    {
      return argument
    }
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = try retrying("read", "/proc/self/exe") {
      readlink("/proc/self/exe", &buffer, buffer.count - 1)
    }
    return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// The way back from a takeover that fails: once, to the program before, with the same state.
package struct FallBack {
  package let inheritance: Inheritance
  /// argv of the daemon.
  package let arguments: [String]
  /// Tells why, where the daemon's own log is not there yet.
  package let complain: (String) -> Void

  package init(_ inheritance: Inheritance, arguments: [String], complain: @escaping (String) -> Void) {
    self.inheritance = inheritance
    self.arguments = arguments
    self.complain = complain
  }

  /// What has to go well for the takeover.
  ///
  /// It does not unwind, so that no owner closes what the program before needs.
  package func certainly<Value: ~Copyable>(_ body: () throws -> Value) -> Value {
    do { return try body() } catch { giveUp("\(error)") }
  }

  package func giveUp(_ reason: String) -> Never {
    let own = "fdsupervisord \(Product.version) cannot take over: \(reason)"
    guard inheritance.failure == nil else {
      complain("fdsupervisord: \(own); it was the way back already, so the daemon ends")
      exit(1)
    }
    complain("fdsupervisord: \(own); going back to the program before")
    var back = inheritance
    back.failure = own
    let error = Succession.execute(
      "/proc/self/fd/\(inheritance.former)", arguments + back.arguments,
      keeping: [inheritance.state, inheritance.former])
    complain("fdsupervisord: \(error); the daemon ends")
    exit(1)
  }
}
