// Names of capabilities, capabilities(7).

import Supervisor

extension Decoding where Value == String {
  /// "CAP_NET_BIND_SERVICE", also in lower case and without the prefix; the result is the name in full.
  static let capability = string.then { text, node, diagnostics -> String? in
    var name = text.uppercased()
    if !name.hasPrefix("CAP_") { name = "CAP_" + name }
    if CapabilityName.all.contains(name) { return name }
    let near = Spelling.suggestion(for: name, among: CapabilityName.all)
    diagnostics.error("unknown capability \(quoted(text))\(near)", at: node.span)
    return nil
  }
}
