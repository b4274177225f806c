// What refers to what: sockets of services, order between services, placeholders.

import Supervisor

struct ReferenceChecks {
  private let draft: ConfigurationDraft
  private let diagnostics: Diagnostics
  private let sockets: [String: SocketDraft]
  private let services: Set<String>

  init(_ draft: ConfigurationDraft, _ diagnostics: Diagnostics) {
    self.draft = draft
    self.diagnostics = diagnostics
    self.sockets = Dictionary(draft.sockets.map { ($0.name.value, $0) }) { first, _ in first }
    self.services = Set(draft.services.map(\.name.value))
  }

  func run() {
    for service in draft.services {
      for name in service.sockets where sockets[name.value] == nil {
        undefined("socket", name.value, at: name.span, among: sockets.keys.sorted())
      }
      for name in service.after + service.requires where !services.contains(name.value) {
        undefined("service", name.value, at: name.span, among: services.sorted())
      }
      checkNumberOfSockets(of: service)
      checkAccept(of: service)
      for word in service.command { checkPlaceholders(in: word.value, word.span, of: service) }
      for entry in service.environment { checkPlaceholders(in: entry.value.value, entry.span, of: service) }
    }
    warnOfUnusedSockets()
  }

  /// Some conventions know one socket only; and one that is none of our defaults is written for a reason.
  private func checkNumberOfSockets(of service: ServiceDraft) {
    let mode = service.definition.pass
    guard let span = service.passSpan, ![.none, .systemd, .auto].contains(mode) else { return }
    let count = service.sockets.reduce(0) { $0 + (sockets[$1.value]?.addresses.count ?? 1) }
    if count == 0 {
      diagnostics.error(
        "pass = \"\(mode.name)\" hands over sockets, and \(service.place) has none; add 'sockets'", at: span)
    } else if let limit = mode.socketLimit, count > limit {
      diagnostics.error(
        "pass = \"\(mode.name)\" hands over one address, and the sockets of \(service.place) have \(count)",
        at: span)
    }
  }

  /// `accept` wants sockets that have connections, and is a way of handing over itself.
  private func checkAccept(of service: ServiceDraft) {
    guard let span = service.acceptSpan, service.accepts else {
      if let span = service.connectionLimitSpan {
        diagnostics.error("'max_connections' means nothing without accept = true", at: span)
      }
      return
    }
    if service.sockets.isEmpty {
      diagnostics.error("accept = true needs 'sockets', and \(service.place) has none", at: span)
    }
    if let pass = service.passSpan {
      diagnostics.error(
        "accept = true hands over each connection as standard input and output; remove 'pass'", at: pass)
    }
    for name in service.sockets {
      guard let address = sockets[name.value]?.addresses.first(where: { !$0.value.accepts }) else { continue }
      diagnostics.error(
        "accept = true: socket \(quoted(name.value)) has no connections, it is \(escaped("\(address.value)"))",
        at: name.span)
    }
  }

  private func undefined(_ kind: String, _ name: String, at span: SourceSpan, among known: [String]) {
    let near = Spelling.suggestion(for: name, among: known)
    let remedy = near.isEmpty ? "; no [\(kind).\(escaped(name))] is defined" : near
    diagnostics.error("unknown \(kind) \(quoted(name))\(remedy)", at: span)
  }

  /// The daemon would hold such a port open, and whoever connects would wait for ever.
  private func warnOfUnusedSockets() {
    let used = Set(draft.services.flatMap { $0.sockets.map(\.value) })
    for socket in draft.sockets where !used.contains(socket.name.value) {
      diagnostics.warning("no service has the socket \(quoted(socket.name.value))", at: socket.name.span)
    }
  }

  // MARK: Placeholders

  private func checkPlaceholders(in text: String, _ span: SourceSpan, of service: ServiceDraft) {
    for placeholder in Placeholder.all(in: text) {
      let place = span.part(of: text, offset: placeholder.offset, length: placeholder.length)
      switch placeholder.kind {
      case .fd: checkDescriptor(placeholder, place, of: service)
      case .port, .address: checkAddress(placeholder, place)
      }
    }
  }

  private func checkDescriptor(_ placeholder: Placeholder, _ place: SourceSpan, of service: ServiceDraft) {
    let name = placeholder.name
    let given = service.sockets.map(\.value)
    if given.contains(name) { return }
    if sockets[name] != nil {
      let message =
        "{fd:\(name)}: the service is not given this socket; add it to 'sockets' of \(service.place)"
      diagnostics.error(message, at: place)
    } else {
      let near = Spelling.suggestion(for: name, among: given)
      diagnostics.error("{fd:\(name)}: unknown socket \(quoted(name))\(near)", at: place)
    }
  }

  private func checkAddress(_ placeholder: Placeholder, _ place: SourceSpan) {
    let name = placeholder.name
    let written = "{\(placeholder.kind.rawValue):\(name)}"
    guard let socket = sockets[name] else {
      let near = Spelling.suggestion(for: name, among: sockets.keys.sorted())
      diagnostics.error("\(written): unknown socket \(quoted(name))\(near)", at: place)
      return
    }
    let addresses = socket.addresses.map(\.value)
    if placeholder.kind == .port, let first = addresses.first, addresses.allSatisfy({ $0.port == nil }) {
      diagnostics.error("\(written): the socket has no port, it listens on \(escaped("\(first)"))", at: place)
    }
  }
}
