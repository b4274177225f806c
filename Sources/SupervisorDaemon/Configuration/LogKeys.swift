// `log = "journal"` or `log = { file = "app.log", max_size = "50MiB", keep = 5 }`.

import Supervisor

extension Decoding where Value == LogDefinition {
  static let log = Decoding { node, diagnostics in
    switch node.value {
    case .string: return destination.decode(node, diagnostics)
    case .table(let keys):
      if !keys.contains(where: { $0.key == "file" }) {
        diagnostics.error("the log has no 'file'; write log = { file = \"app.log\" }", at: node.span)
      }
      return file.decode(node, diagnostics).map { .file($0) }
    default: return diagnostics.mismatch("a string or a table", node)
    }
  }

  private static let destination = choice([
    ("journal", LogDefinition.journal), ("inherit", LogDefinition.inherit), ("none", LogDefinition.none),
  ])

  private static let file = KeyTable<LogFileDefinition>([
    Key("file", \.path, .path),
    Key("max_size", \.maxSize, .size(1...1 << 40)),
    Key("keep", \.keep, .integer(0...10_000)),
  ]).decoding("log", from: LogFileDefinition(path: ""))
}
