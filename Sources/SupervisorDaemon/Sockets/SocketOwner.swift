// Whose the file of a Unix socket is to be: user and group of the configuration as numbers.

import Glibc
import Supervisor

/// The owner of a socket file; nil leaves what bind(2) made of it.
struct SocketOwner: Hashable {
  var user: uid_t?
  var group: gid_t?

  /// Looks the names up.
  ///
  /// A user without a group brings the group it has in the user database, as systemd does it.
  ///
  /// The error is the account that does not exist, as in: user "www".
  init(_ options: SocketOptions) throws(NoSuchAccount) {
    if let name = options.user {
      let (user, group) = try Self.findUser(name)
      self.user = user
      self.group = group
    }
    if let name = options.group { group = try Self.findGroup(name) }
  }

  struct NoSuchAccount: Error { var account: String }

  /// A number need not be in the database.
  private static func findUser(_ name: String) throws(NoSuchAccount) -> (uid_t, gid_t?) {
    var entry = Glibc.passwd()
    let number = UInt32(name)
    let found = lookUp { buffer, size in
      var result: UnsafeMutablePointer<passwd>?
      let code =
        number.map { getpwuid_r($0, &entry, buffer, size, &result) }
        ?? getpwnam_r(name, &entry, buffer, size, &result)
      return (code, result != nil)
    }
    if found { return (entry.pw_uid, entry.pw_gid) }
    guard let number else { throw NoSuchAccount(account: "user \"\(name)\"") }
    return (number, nil)
  }

  private static func findGroup(_ name: String) throws(NoSuchAccount) -> gid_t {
    if let number = UInt32(name) { return number }
    var entry = Glibc.group()
    let found = lookUp { buffer, size in
      var result: UnsafeMutablePointer<Glibc.group>?
      let code = getgrnam_r(name, &entry, buffer, size, &result)
      return (code, result != nil)
    }
    guard found else { throw NoSuchAccount(account: "group \"\(name)\"") }
    return entry.gr_gid
  }

  /// Calls one of getpwnam(3)'s family with a buffer that is large enough.
  ///
  /// The *_r calls want a buffer for the strings and say ERANGE when it is too small; a group
  /// may have thousands of members. Only the numbers are used after the buffer is gone.
  private static func lookUp(_ call: (UnsafeMutablePointer<CChar>, Int) -> (Int32, Bool)) -> Bool {
    var size = 4096
    while size <= 1 << 20 {
      let (code, found) = withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { buffer in
        buffer.baseAddress.map { call($0, size) } ?? (ENOMEM, false)
      }
      if found { return true }
      if code == EINTR { continue }
      if code != ERANGE { return false }
      size *= 4
    }
    return false
  }
}
