// Which setsockopt(2) calls the options of a socket come down to, and in what order.

import Glibc
import Supervisor

/// One setsockopt(2) with a number as its value.
struct KernelOption: Hashable {
  /// The key in the configuration, for errors.
  var key: String
  var level: CInt
  var name: CInt
  var value: CInt
  /// `beforeBind` options decide about the address; the kernel ignores or refuses them later.
  var time: Time

  enum Time { case beforeBind, always }

  /// Sets it; errno when the kernel refuses.
  func set(on socket: CInt) -> Int32? {
    var value = value
    return setsockopt(socket, level, name, &value, socklen_t(MemoryLayout<CInt>.size)) == 0 ? nil : errno
  }

  /// What the kernel has, getsockopt(2); nil when it does not know the option.
  func current(on socket: CInt) -> CInt? { Self.read(socket, level, name) }

  static func read(_ socket: CInt, _ level: CInt, _ name: CInt) -> CInt? {
    var value: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    return getsockopt(socket, level, name, &value, &length) == 0 ? value : nil
  }
}

extension SocketOptions {
  /// The options that mean something for an address; those that are for other kinds are left out, because one
  /// socket may have addresses of several kinds.
  ///
  /// Never SO_REUSEADDR for UDP: another program could then bind beside us, silently (socket(7), ip(7)).
  func kernelOptions(for address: SocketAddress) -> [KernelOption] {
    switch address {
    case .tcp(let ip, _):
      // Connections of a former owner in TIME_WAIT don't keep the port (socket(7)); a listener still does.
      [KernelOption(key: "SO_REUSEADDR", level: SOL_SOCKET, name: SO_REUSEADDR, value: 1, time: .beforeBind)]
        + internetOptions(ip) + tcpOptions
    case .udp(let ip, _): internetOptions(ip)
    case .unix: []
    }
  }

  private func internetOptions(_ ip: IPAddress) -> [KernelOption] {
    var options: [KernelOption] = []
    func add(_ key: String, _ level: CInt, _ name: CInt, _ value: CInt, _ time: KernelOption.Time) {
      options.append(KernelOption(key: key, level: level, name: name, value: value, time: time))
    }
    if reusePort { add("reuse_port", SOL_SOCKET, SO_REUSEPORT, 1, .beforeBind) }
    // Said in so many words for [::], because net.ipv6.bindv6only changes the default (ipv6(7)).
    if ip.isV6, let only = v6Only ?? (ip.isWildcard ? false : nil) {
      add("v6_only", CInt(IPPROTO_IPV6), IPV6_V6ONLY, only ? 1 : 0, .beforeBind)
    }
    let level = ip.isV6 ? CInt(IPPROTO_IPV6) : CInt(IPPROTO_IP)
    if freeBind { add("free_bind", level, ip.isV6 ? IPV6_FREEBIND : IP_FREEBIND, 1, .beforeBind) }
    if transparent { add("transparent", level, ip.isV6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1, .beforeBind) }
    if let mark { add("mark", SOL_SOCKET, SO_MARK, CInt(bitPattern: mark), .always) }
    return options
  }

  private var tcpOptions: [KernelOption] {
    var options: [KernelOption] = []
    func add(_ key: String, _ level: CInt, _ name: CInt, _ value: CInt) {
      options.append(KernelOption(key: key, level: level, name: name, value: value, time: .always))
    }
    let tcp = CInt(IPPROTO_TCP)
    if let keepAlive { add("keep_alive", SOL_SOCKET, SO_KEEPALIVE, keepAlive ? 1 : 0) }
    // tcp(7): accepted connections inherit it on Linux.
    if let noDelay { add("no_delay", tcp, TCP_NODELAY, noDelay ? 1 : 0) }
    if let deferAccept { add("defer_accept", tcp, TCP_DEFER_ACCEPT, deferAccept.wholeSeconds) }
    if let fastOpen { add("fast_open", tcp, TCP_FASTOPEN, CInt(clamping: fastOpen)) }
    return options
  }
}

extension Duration {
  /// Rounded up: a fraction of a second is not "off".
  fileprivate var wholeSeconds: CInt {
    CInt(clamping: components.seconds + (components.attoseconds > 0 ? 1 : 0))
  }
}

/// SO_RCVBUF or SO_SNDBUF, which the kernel caps without a word (socket(7)).
struct BufferOption {
  var key: String
  var name: CInt
  var force: CInt
  /// The sysctl that caps it.
  var limit: String
  var bytes: Int

  static func all(_ options: SocketOptions) -> [BufferOption] {
    var buffers: [BufferOption] = []
    if let bytes = options.receiveBuffer {
      buffers.append(
        BufferOption(
          key: "receive_buffer", name: SO_RCVBUF, force: SO_RCVBUFFORCE, limit: "net.core.rmem_max",
          bytes: bytes))
    }
    if let bytes = options.sendBuffer {
      buffers.append(
        BufferOption(
          key: "send_buffer", name: SO_SNDBUF, force: SO_SNDBUFFORCE, limit: "net.core.wmem_max", bytes: bytes
        ))
    }
    return buffers
  }

  /// Sets it, over the cap where the daemon may (CAP_NET_ADMIN).
  func set(on socket: CInt) -> Outcome {
    let plain = KernelOption(
      key: key, level: SOL_SOCKET, name: name, value: CInt(clamping: bytes), time: .always)
    if let code = plain.set(on: socket) { return .failed(code) }
    // The kernel doubles the value for its own bookkeeping, and reports the double.
    if let got = plain.current(on: socket), Int(got) / 2 >= bytes { return .set }
    var forced = plain
    forced.name = force
    if forced.set(on: socket) == nil { return .set }
    return .capped(Int(plain.current(on: socket) ?? 0) / 2)
  }

  enum Outcome {
    case set
    /// To so many bytes.
    case capped(Int)
    case failed(Int32)
  }
}
