// Is an address free? Asked of bind(2) itself, which knows what no table shows.

import CLinux
import Glibc

package enum TrialBind {
  package enum Outcome: Hashable, Sendable {
    case free
    case taken
    /// errno: EACCES for a privileged port, EADDRNOTAVAIL for an address that is not on this machine, …
    /// EOPNOTSUPP for a Unix path: a bind would leave a file behind, and says nothing about who listens.
    case unknown(Int32)
  }

  /// Binds an address as a server would, and closes at once, without having listened.
  ///
  /// TCP binds with SO_REUSEADDR, so that TIME_WAIT does not count, and never with SO_REUSEPORT, with which a
  /// second listener is welcome (socket(7)). For the moment of the trial the address is taken.
  package static func check(_ address: SocketAddress) -> Outcome {
    let type: __socket_type
    switch address {
    case .tcp: type = SOCK_STREAM
    case .udp: type = SOCK_DGRAM
    case .unix: return .unknown(EOPNOTSUPP)
    }
    guard let ip = address.ip, let port = address.port else { return .unknown(EOPNOTSUPP) }
    switch bind(ip, port, Int32(type.rawValue)) {
    case 0: return .free
    case EADDRINUSE: return .taken
    case let code: return .unknown(code)
    }
  }

  private static func bind(_ ip: IPAddress, _ port: UInt16, _ type: Int32) -> Int32 {
    var bytes = [UInt8](repeating: 0, count: 16)
    switch ip {
    case .v4(let bits):
      for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: bits >> (24 - 8 * UInt32(index))) }
      return cl_trial_bind(AF_INET, type, bytes, 0, port)
    case .v6(let address, let scope):
      for index in 0..<16 { bytes[index] = address[index] }
      return cl_trial_bind(AF_INET6, type, bytes, scope, port)
    }
  }
}
