// From the flat tree of CTOML to TOMLNode. What the keys mean is not known here.

import CTOML

enum TOMLParser {
  /// The root table of a file; nil when it is no TOML, which is then reported (the first error only).
  ///
  /// Reports strings with a NUL byte too, because no string of the operating system can hold one.
  static func parse(_ file: SourceFile, _ diagnostics: Diagnostics) -> TOMLNode? {
    var text = file.text
    guard
      let document = text.withUTF8({ utf8 in
        utf8.withMemoryRebound(to: CChar.self) { ctoml_parse($0.baseAddress, $0.count) }
      })
    else {
      diagnostics.error("cannot parse \(file.path): out of memory", file: file.path, order: file.order)
      return nil
    }
    defer { ctoml_free(document) }
    var position = ctoml_position()
    let failure = ctoml_error(document, &position)
    if failure.length > 0 {
      let line = Int(position.line)
      // At the end of the file toml++ counts the last line's end as a character.
      let column = min(Int(position.column), file.line(line).unicodeScalars.count + 1)
      let span = SourceSpan(file: file, line: line, column: column, length: 1)
      diagnostics.error(sentence(String(failure)), at: span)
      return nil
    }
    var count = 0
    let nodes = UnsafeBufferPointer(start: ctoml_nodes(document, &count), count: count)
    var reader = FlatTreeReader(file: file, diagnostics: diagnostics, rest: nodes[...])
    return reader.next()?.node
  }

  /// "Error while parsing key-value pair: expected '='" without what only the parser's author wants to know.
  private static func sentence(_ text: String) -> String {
    guard text.hasPrefix("Error while parsing "), let colon = text.firstIndex(of: ":") else { return text }
    return String(text[colon...].dropFirst(2))
  }
}

/// Takes nodes off the front of the flat tree.
///
/// The depth of the tree is bounded by CTOML.
private struct FlatTreeReader {
  let file: SourceFile
  let diagnostics: Diagnostics
  var rest: Slice<UnsafeBufferPointer<ctoml_node>>

  mutating func next() -> TOMLEntry? {
    guard let flat = rest.popFirst() else { return nil }
    let key = String(flat.key)
    let entry = TOMLEntry(
      key: key, keySpan: span(flat.key_span), node: TOMLNode(value: value(flat), span: span(flat.span)))
    if key.utf8.contains(0) { diagnostics.error("a key contains a NUL byte", at: entry.keySpan) }
    if case .string(let text) = entry.node.value, text.utf8.contains(0) {
      diagnostics.error("the string contains a NUL byte", at: entry.node.span)
    }
    return entry
  }

  private mutating func value(_ flat: ctoml_node) -> TOMLValue {
    switch flat.kind {
    case CTOML_STRING: .string(String(flat.text))
    case CTOML_INTEGER: .integer(flat.integer, flat.octal ? .octal : .other)
    case CTOML_FLOAT: .float(flat.real)
    case CTOML_BOOLEAN: .boolean(flat.boolean)
    case CTOML_DATE: .date
    case CTOML_TIME: .time
    case CTOML_DATE_TIME: .dateTime
    case CTOML_ARRAY: .array(children(flat.children).map(\.node))
    default: .table(children(flat.children).sorted(by: Self.comesBefore))
    }
  }

  private mutating func children(_ count: Int) -> [TOMLEntry] {
    var result: [TOMLEntry] = []
    for _ in 0..<count {
      if let entry = next() { result.append(entry) }
    }
    return result
  }

  /// toml++ sorts tables by key; the order of the file is what people mean.
  private static func comesBefore(_ a: TOMLEntry, _ b: TOMLEntry) -> Bool {
    (a.keySpan.line, a.keySpan.column) < (b.keySpan.line, b.keySpan.column)
  }

  private func span(_ span: ctoml_span) -> SourceSpan {
    let (begin, end) = (span.begin, span.end)
    return SourceSpan(
      file: file, line: Int(begin.line), column: Int(begin.column),
      length: begin.line == end.line ? max(1, Int(end.column) - Int(begin.column)) : .max)
  }
}

extension String {
  fileprivate init(_ text: ctoml_text) {
    let bytes = UnsafeRawBufferPointer(start: text.bytes, count: text.length)
    self = String(decoding: bytes, as: UTF8.self)
  }
}
