// The options that a program gave its socket, so that a repair can open it as it was.

import Glibc
import Supervisor

extension SocketOptions {
  /// Reads what can be read, getsockopt(2); the length of the queue is ours.
  init(ofProgramSocket number: CInt, at address: SocketAddress) {
    self.init()
    if address.path != nil { setFile(of: address) }
    guard let ip = address.ip else { return }
    func has(_ level: CInt, _ name: CInt) -> Bool { (KernelOption.read(number, level, name) ?? 0) != 0 }
    let level = CInt(ip.isV6 ? IPPROTO_IPV6 : IPPROTO_IP)
    let tcp = CInt(IPPROTO_TCP)
    reusePort = has(SOL_SOCKET, SO_REUSEPORT)
    if ip.isV6 { v6Only = has(level, IPV6_V6ONLY) }
    freeBind = has(level, ip.isV6 ? IPV6_FREEBIND : IP_FREEBIND)
    transparent = has(level, ip.isV6 ? IPV6_TRANSPARENT : IP_TRANSPARENT)
    if has(SOL_SOCKET, SO_KEEPALIVE) { keepAlive = true }
    if has(tcp, TCP_NODELAY) { noDelay = true }
    if let seconds = KernelOption.read(number, tcp, TCP_DEFER_ACCEPT), seconds > 0 {
      deferAccept = .seconds(Int(seconds))
    }
    if let length = KernelOption.read(number, tcp, TCP_FASTOPEN), length > 0 { fastOpen = Int(length) }
    bindToDevice = Self.device(of: number)
  }

  /// The file that bind(2) of the program made, and what it made of it since.
  private mutating func setFile(of address: SocketAddress) {
    guard let path = address.path else { return }
    do throws(SystemError) {
      let status = try PathEntry.status(of: path)
      mode = UInt32(status.st_mode & 0o777)
      if status.st_uid != geteuid() { user = "\(status.st_uid)" }
      if status.st_gid != getegid() { group = "\(status.st_gid)" }
    } catch {
      return  // gone already: a repair opens it with the usual ones
    }
  }

  private static func device(of number: CInt) -> String? {
    var name = [UInt8](repeating: 0, count: Int(IFNAMSIZ))
    var length = socklen_t(name.count)
    guard getsockopt(number, SOL_SOCKET, SO_BINDTODEVICE, &name, &length) == 0 else { return nil }
    let text = name.prefix(Int(length)).prefix { $0 != 0 }
    return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
  }
}
