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
  /// There is no daemon, or none that is for this user.
  var isWithoutDaemon: Bool

  init(_ status: Int32, _ message: String, isWithoutDaemon: Bool = false) {
    self.status = status
    self.message = message
    self.isWithoutDaemon = isWithoutDaemon || status == ExitStatus.noDaemon
  }
}
