// A failed system call: which, on what, why.

import Glibc

/// A failed call with its object and errno.
///
/// `description` reads "cannot open /etc/x: Permission denied".
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was tried, as a verb phrase: "open", "bind", "read".
  package var operation: String
  /// On what, or "".
  package var object: String
  /// errno(3).
  package var code: Int32

  package init(_ operation: String, _ object: String = "", code: Int32 = errno) {
    self.operation = operation
    self.object = object
    self.code = code
  }

  package var description: String {
    "cannot \(operation)\(object.isEmpty ? "" : " \(object)"): \(Self.text(code))"
  }

  /// strerror(3) of a code.
  package static func text(_ code: Int32) -> String {
    String(cString: strerror(code))
  }
}

/// Runs a call until it is not interrupted by a signal (EINTR); -1 becomes the error.
package func retrying<Value: FixedWidthInteger & SignedInteger>(
  _ operation: String, _ object: @autoclosure () -> String = "", _ call: () -> Value
) throws(SystemError) -> Value {
  while true {
    let result = call()
    if result != -1 { return result }
    let code = errno
    if code != EINTR { throw SystemError(operation, object(), code: code) }
  }
}
