// The keys of [socket.NAME].

import Supervisor

/// A socket as it was read, with the places that later checks point at.
struct SocketDraft: Sendable {
  let name: Located<String>
  var addresses: [Located<SocketAddress>] = []
  var options = SocketOptions()
  /// The options that were written and are not for every kind of address.
  var restricted: [Located<RestrictedOption>] = []

  var definition: SocketDefinition {
    SocketDefinition(name: name.value, addresses: addresses.map(\.value), options: options)
  }
}

struct RestrictedOption: Sendable {
  let name: String
  let scope: Scope

  /// The addresses for which an option means something.
  enum Scope: String {
    case unixPath = "Unix paths"
    case internet = "TCP and UDP"
    case ipv6 = "IPv6 addresses"
    case tcp = "TCP"

    func covers(_ address: SocketAddress) -> Bool {
      switch (self, address) {
      case (.unixPath, .unix(_, .path)), (.internet, .tcp), (.internet, .udp), (.tcp, .tcp): true
      case (.ipv6, .tcp(let ip, _)), (.ipv6, .udp(let ip, _)): ip.isV6
      case (.unixPath, _), (.internet, _), (.ipv6, _), (.tcp, _): false
      }
    }
  }
}

enum SocketKeys {
  private static let table = KeyTable<SocketDraft>(
    [
      Key("listen", \.addresses, Decoding.address.located.oneOrMore),
      Key("backlog", \.options.backlog, .integer(1...65535)),
      Key("receive_buffer", \.options.receiveBuffer, .size(1...1 << 30)),
      Key("send_buffer", \.options.sendBuffer, .size(1...1 << 30)),
      Key("mark", \.options.mark, .mark),
    ] + unixKeys + internetKeys)

  private static let unixKeys = [
    Key("mode", \.options.mode, .permissions).only(for: .unixPath),
    Key("user", \.options.user, .account).only(for: .unixPath),
    Key("group", \.options.group, .account).only(for: .unixPath),
  ]

  private static let internetKeys = [
    Key("reuse_port", \.options.reusePort, .boolean).only(for: .internet),
    Key("v6_only", \.options.v6Only, .boolean).only(for: .ipv6),
    Key("bind_to_device", \.options.bindToDevice, .networkDevice).only(for: .internet),
    Key("free_bind", \.options.freeBind, .boolean).only(for: .internet),
    Key("transparent", \.options.transparent, .boolean).only(for: .internet),
    Key("defer_accept", \.options.deferAccept, .wholeSeconds).only(for: .tcp),
    Key("fast_open", \.options.fastOpen, .integer(1...65535)).only(for: .tcp),
    Key("keep_alive", \.options.keepAlive, .boolean).only(for: .tcp),
    Key("no_delay", \.options.noDelay, .boolean).only(for: .tcp),
  ]

  /// A draft even after errors, so that references to the name don't cause more of them.
  static func read(_ entry: TOMLEntry, _ diagnostics: Diagnostics) -> SocketDraft {
    var draft = SocketDraft(name: Located(value: entry.key, span: entry.keySpan))
    let place = "[socket.\(escaped(entry.key))]"
    table.read(entry.node, place, into: &draft, diagnostics)
    if case .table(let keys) = entry.node.value, !keys.contains(where: { $0.key == "listen" }) {
      diagnostics.error("\(place) has no 'listen'; write listen = \"127.0.0.1:8000\"", at: entry.keySpan)
    }
    if !draft.addresses.isEmpty { checkScopes(of: draft, place, diagnostics) }
    return draft
  }

  private static func checkScopes(of draft: SocketDraft, _ place: String, _ diagnostics: Diagnostics) {
    for option in draft.restricted {
      let (name, scope) = (option.value.name, option.value.scope)
      if draft.addresses.contains(where: { scope.covers($0.value) }) { continue }
      diagnostics.error("'\(name)' is for \(scope.rawValue) only; \(place) listens on none", at: option.span)
    }
  }
}

extension Key<SocketDraft> {
  fileprivate func only(for scope: RestrictedOption.Scope) -> Key {
    Key(name) { [name] entry, draft, diagnostics in
      apply(entry, &draft, diagnostics)
      let option = RestrictedOption(name: name, scope: scope)
      draft.restricted.append(Located(value: option, span: entry.keySpan))
    }
  }
}

extension Decoding where Value == SocketAddress {
  static let address = Decoding<String>.string.then { text, node, diagnostics -> SocketAddress? in
    do throws(AddressError) {
      return try SocketAddress(parsing: text)
    } catch {
      diagnostics.error("invalid address \(quoted(text)): \(error)", at: node.span)
      return nil
    }
  }
}

extension Decoding where Value == Duration {
  /// TCP_DEFER_ACCEPT counts whole seconds, tcp(7).
  fileprivate static let wholeSeconds = positiveDuration.requiring("only whole seconds are possible here") {
    $0.components.attoseconds == 0
  }
}

extension Decoding where Value == String {
  /// The kernel's rule for names of network devices: IFNAMSIZ with its NUL is 16 bytes, netdevice(7).
  fileprivate static let networkDevice = string.requiring("this is no name of a network device") {
    (1...15).contains($0.utf8.count) && !$0.contains { $0 == "/" || $0 == ":" || $0.isWhitespace }
  }
}
