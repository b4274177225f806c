// Users and groups by name or number, getpwnam_r(3), at each launch: accounts may change while we run.

import Glibc
import Supervisor

/// Why an account can't be used: a whole message.
package struct AccountError: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String
}

package enum AccountLookup {
  /// Resolves `user`, `group` and `supplementary_groups`; nil when none of them is set.
  package static func resolve(_ credentials: CredentialsDefinition) throws(AccountError) -> ResolvedUser? {
    if credentials.user == nil, credentials.group == nil, credentials.supplementaryGroups == nil {
      return nil
    }
    var result = ResolvedUser(uid: getuid(), gid: getgid(), groups: [])
    if let user = credentials.user { result = try account(user) }
    if let group = credentials.group { result.gid = try groupNumber(group) }
    if let names = credentials.supplementaryGroups {
      result.groups = []
      for name in names { result.groups.append(try groupNumber(name)) }
    } else if let name = result.name {
      result.groups = groups(of: name, primary: result.gid)
    } else {
      result.groups = [result.gid]
    }
    return result
  }

  private static func account(_ user: String) throws(AccountError) -> ResolvedUser {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16384)
    let number = UInt32(user)
    let error =
      number.map { getpwuid_r($0, &entry, &buffer, buffer.count, &found) }
      ?? getpwnam_r(user, &entry, &buffer, buffer.count, &found)
    guard found != nil else {
      if let number { return ResolvedUser(uid: number, gid: number, groups: []) }
      let why = error == 0 ? "there is no such user" : SystemError.text(error)
      throw AccountError(description: "cannot look up user \"\(user)\": \(why)")
    }
    var result = ResolvedUser(uid: entry.pw_uid, gid: entry.pw_gid, groups: [])
    result.name = String(cString: entry.pw_name)
    result.home = String(cString: entry.pw_dir)
    result.shell = String(cString: entry.pw_shell)
    return result
  }

  package static func groupNumber(_ group: String) throws(AccountError) -> UInt32 {
    if let number = UInt32(group) { return number }
    var entry = Glibc.group()
    var found: UnsafeMutablePointer<Glibc.group>?
    var buffer = [CChar](repeating: 0, count: 65536)
    let error = getgrnam_r(group, &entry, &buffer, buffer.count, &found)
    guard found != nil else {
      let why = error == 0 ? "there is no such group" : SystemError.text(error)
      throw AccountError(description: "cannot look up group \"\(group)\": \(why)")
    }
    return entry.gr_gid
  }

  private static func groups(of user: String, primary: UInt32) -> [UInt32] {
    var count: Int32 = 256
    var groups = [UInt32](repeating: 0, count: Int(count))
    if getgrouplist(user, primary, &groups, &count) == -1, count > 0 {
      groups = [UInt32](repeating: 0, count: Int(count))
      if getgrouplist(user, primary, &groups, &count) == -1 { return [primary] }
    }
    return Array(groups.prefix(Int(max(0, count))))
  }
}
