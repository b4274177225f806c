// What a browser gets while a program is down at a desk: a page that says why, and asks again by itself. Pure.

/// The answer to an HTTP request for a program that ended.
package struct FailurePage: Hashable, Sendable {
  package var service: String
  /// How it ended: one line.
  package var message: String
  /// What it wrote last.
  package var lines: [String]

  package init(service: String, message: String, lines: [String]) {
    (self.service, self.message, self.lines) = (service, message, lines)
  }

  /// What the first bytes of a connection are.
  package enum Request: Hashable, Sendable {
    /// Perhaps one of HTTP; more has to come.
    case incomplete
    case page(Form)
    case notHTTP
  }

  package struct Form: Hashable, Sendable {
    package var isHTML: Bool
    /// HEAD wants no body, RFC 9110 section 9.3.2.
    package var hasBody: Bool

    package init(isHTML: Bool, hasBody: Bool) { (self.isHTML, self.hasBody) = (isHTML, hasBody) }
  }

  /// Bytes of a request that are looked at.
  package static let longestRequest = 8192
  private static let longestMethod = 16

  package static func request(_ bytes: [UInt8]) -> Request {
    let method = bytes.prefix { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    guard method.count <= longestMethod else { return .notHTTP }
    guard bytes.count > method.count else { return .incomplete }
    guard !method.isEmpty, bytes[method.count] == UInt8(ascii: " ") else { return .notHTTP }
    let isWhole = bytes.count >= longestRequest
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return isWhole ? .notHTTP : .incomplete }
    let first = String(decoding: bytes[..<end], as: UTF8.self)
    guard first.contains(" HTTP/1.") else { return .notHTTP }
    let text = String(decoding: bytes, as: UTF8.self).lowercased()
    guard isWhole || text.contains("\r\n\r\n") || text.contains("\n\n") else { return .incomplete }
    // "\r\n" is one character of Swift.
    let accept = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("accept:") }
    return .page(
      Form(isHTML: accept?.contains("text/html") == true, hasBody: method != Array("HEAD".utf8)[...]))
  }

  /// The whole answer, with its head.
  package func response(_ form: Form) -> [UInt8] {
    let body = Array((form.isHTML ? html : plain).utf8)
    let kind = form.isHTML ? "text/html" : "text/plain"
    let head = """
      HTTP/1.1 503 Service Unavailable\r
      Content-Type: \(kind); charset=utf-8\r
      Content-Length: \(body.count)\r
      Retry-After: 1\r
      Cache-Control: no-store\r
      Connection: close\r
      \r

      """
    return Array(head.utf8) + (form.hasBody ? body : [])
  }

  private var plain: String {
    (["\(service): \(message)", ""] + lines.map { "  " + $0 } + ["", "fdsupervisord waits for a change.", ""])
      .joined(separator: "\n")
  }

  private var html: String {
    """
    <!doctype html>
    <html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">
    <title>\(Self.escaped(service)) is down</title>
    <style>
    body { font: 16px/1.5 system-ui, sans-serif; margin: 3em auto; max-width: 60em; padding: 0 1em; color: #222 }
    pre { background: #f4f4f4; border-left: 4px solid #c33; padding: 1em; overflow-x: auto; font-size: 14px }
    @media (prefers-color-scheme: dark) { body { background: #1b1b1b; color: #ddd } pre { background: #272727 } }
    </style></head>
    <body><h1>\(Self.escaped(service)) is down</h1><p>\(Self.escaped(message))</p>
    <pre>\(lines.map(Self.escaped).joined(separator: "\n"))</pre>
    <p>fdsupervisord waits for a change; this page asks again each second.</p></body></html>

    """
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t": result += "\t"
      default:
        if character.properties.generalCategory != .control { result.unicodeScalars.append(character) }
      }
    }
    return result
  }
}
