// All that was read from all files, before what refers to what is checked; and the keys of the top level.

import Supervisor

struct ConfigurationDraft {
  var daemon = DaemonDefinition()
  /// Where [daemon] stands.
  var daemonSpan: SourceSpan?
  var sockets: [SocketDraft] = []
  var services: [ServiceDraft] = []
  /// Patterns of the file that is being read.
  var includes: [Located<String>] = []

  /// The keys of a file.
  static let table = KeyTable<ConfigurationDraft>([
    Key("include", \.includes, Decoding.nonEmptyString.located.array),
    Key("daemon") { entry, draft, diagnostics in
      if let first = draft.daemonSpan {
        diagnostics.error("[daemon] is already defined at \(first.position)", at: entry.keySpan)
      } else {
        draft.daemonSpan = entry.keySpan
        DaemonKeys.table.read(entry.node, "[daemon]", into: &draft.daemon, diagnostics)
      }
    },
    Key("socket") { entry, draft, diagnostics in
      for entry in named(entry, "socket", draft.sockets.map(\.name), diagnostics) {
        draft.sockets.append(SocketKeys.read(entry, diagnostics))
      }
    },
    Key("service") { entry, draft, diagnostics in
      for entry in named(entry, "service", draft.services.map(\.name), diagnostics) {
        draft.services.append(ServiceKeys.read(entry, diagnostics))
      }
    },
  ])

  /// The tables of [socket] or [service] that define something new; a wrong name is reported, and goes on.
  private static func named(
    _ entry: TOMLEntry, _ kind: String, _ defined: [Located<String>], _ diagnostics: Diagnostics
  ) -> [TOMLEntry] {
    guard case .table(let entries) = entry.node.value else {
      return diagnostics.mismatch("a table [\(kind).NAME]", entry.node) ?? []
    }
    let known = Dictionary(defined.map { ($0.value, $0.span) }) { first, _ in first }
    return entries.filter { entry in
      if let problem = DefinitionName.problem(with: entry.key) {
        diagnostics.error("invalid name \(quoted(entry.key)) of a \(kind): \(problem)", at: entry.keySpan)
      }
      guard let first = known[entry.key] else { return true }
      let message = "[\(kind).\(escaped(entry.key))] is already defined at \(first.position)"
      diagnostics.error(message, at: entry.keySpan)
      return false
    }
  }

  var finished: Configuration {
    var result = Configuration()
    result.daemon = daemon
    result.sockets = sockets.map(\.definition)
    result.services = services.map(\.finished)
    return result
  }
}
