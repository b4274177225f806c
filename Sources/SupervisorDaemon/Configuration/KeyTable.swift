// The keys of a table as data: name, how to read it, where it goes. What is known and what is suggested for a
// misspelled key is the same list.

import Supervisor

/// One key of a table whose values are put into a `Target`.
struct Key<Target>: Sendable {
  let name: String
  let apply: @Sendable (TOMLEntry, inout Target, Diagnostics) -> Void

  init(_ name: String, _ apply: @escaping @Sendable (TOMLEntry, inout Target, Diagnostics) -> Void) {
    self.name = name
    self.apply = apply
  }

  init<Value>(
    _ name: String, _ path: any WritableKeyPath<Target, Value> & Sendable, _ decoding: Decoding<Value>
  ) {
    self.init(name) { entry, target, diagnostics in
      if let value = decoding.decode(entry.node, diagnostics) { target[keyPath: path] = value }
    }
  }

  init<Value>(
    _ name: String, _ path: any WritableKeyPath<Target, Value?> & Sendable, _ decoding: Decoding<Value>
  ) {
    self.init(name) { entry, target, diagnostics in
      if let value = decoding.decode(entry.node, diagnostics) { target[keyPath: path] = value }
    }
  }

  /// A key whose only allowed values change nothing.
  static func checked<Value>(_ name: String, _ decoding: Decoding<Value>) -> Key {
    Key(name) { entry, _, diagnostics in _ = decoding.decode(entry.node, diagnostics) }
  }

  /// A key of a capability that is yet to come; only its default may be written.
  static func later(
    _ name: String, unless isDefault: @escaping @Sendable (TOMLValue) -> Bool = { _ in false }
  ) -> Key {
    Key(name) { entry, _, diagnostics in
      if isDefault(entry.node.value) { return }
      diagnostics.error("'\(name)' is not supported yet", at: entry.keySpan)
    }
  }
}

/// All keys of a table.
struct KeyTable<Target>: Sendable {
  private let keys: [String: Key<Target>]

  init(_ keys: [Key<Target>]) {
    self.keys = Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0) })
  }

  /// Reads every key of a table into the target.
  ///
  /// `place` is the table's name: "[service.app]", or "" at the top.
  func read(_ node: TOMLNode, _ place: String, into target: inout Target, _ diagnostics: Diagnostics) {
    guard case .table(let entries) = node.value else {
      let _: Void? = diagnostics.mismatch("a table", node)
      return
    }
    for entry in entries {
      if let key = keys[entry.key] {
        key.apply(entry, &target, diagnostics)
      } else {
        let near = Spelling.suggestion(for: entry.key, among: keys.keys.sorted())
        let location = place.isEmpty ? "" : " in \(place)"
        diagnostics.error("unknown key \(quoted(entry.key))\(location)\(near)", at: entry.keySpan)
      }
    }
  }

  /// A table as the value of a key.
  func decoding(_ place: String, from initial: Target) -> Decoding<Target> where Target: Sendable {
    Decoding { node, diagnostics in
      var target = initial
      read(node, place, into: &target, diagnostics)
      return target
    }
  }
}
