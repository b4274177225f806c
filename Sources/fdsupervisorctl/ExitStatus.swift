// The exit statuses that scripts rely on.

enum ExitStatus {
  static let done: Int32 = 0
  /// Refused, or tried and failed.
  static let failed: Int32 = 1
  static let usage: Int32 = 2
  /// `status NAME…`: one of them is not running.
  static let notRunning: Int32 = 3
  static let noDaemon: Int32 = 4
}

/// Why a command ends without success: the line for stderr, and the exit status.
struct Failure: Error {
  var status: Int32
  var message: String

  init(_ status: Int32, _ message: String) {
    self.status = status
    self.message = message
  }
}
