// Who gets the page of a program that is down, and what is in it.

import Testing

import SupervisorDaemon

@Suite("The failure page")
struct FailurePageTests {
  private let page = FailurePage(
    service: "web", message: "its main process ended: exit 1", lines: ["SyntaxError: '<' & more"])

  private func request(_ text: String) -> FailurePage.Request { FailurePage.request(Array(text.utf8)) }

  @Test("a request of a browser gets HTML that asks again by itself")
  func browser() {
    let head = "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/html,*/*\r\n\r\n"
    #expect(request(head) == .page(.init(isHTML: true, hasBody: true)))
    let answer = String(decoding: page.response(.init(isHTML: true, hasBody: true)), as: UTF8.self)
    #expect(answer.hasPrefix("HTTP/1.1 503 "))
    #expect(answer.contains("http-equiv=\"refresh\""))
    #expect(answer.contains("SyntaxError: '&lt;' &amp; more"))
  }

  @Test("a tool gets plain text, and HEAD no body")
  func tools() {
    #expect(request("GET / HTTP/1.1\r\nAccept: */*\r\n\r\n") == .page(.init(isHTML: false, hasBody: true)))
    #expect(request("HEAD / HTTP/1.0\r\n\r\n") == .page(.init(isHTML: false, hasBody: false)))
    let answer = String(decoding: page.response(.init(isHTML: false, hasBody: false)), as: UTF8.self)
    #expect(answer.hasSuffix("\r\n\r\n"))
  }

  @Test("the length that is told is that of the body")
  func length() throws {
    for isHTML in [true, false] {
      let answer = String(decoding: page.response(.init(isHTML: isHTML, hasBody: true)), as: UTF8.self)
      let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1)
      let told = try #require(
        parts[0].split(whereSeparator: \.isNewline).first { $0.hasPrefix("Content-Length: ") })
      #expect(told == "Content-Length: \(parts[1].utf8.count)")
    }
  }

  @Test(
    "what is not HTTP is seen from its first bytes",
    arguments: [
      "\u{16}\u{3}\u{1}", "*1\r\n$4\r\nPING\r\n", "get / http/1.1\r\n\r\n", "HELO there\r\n", "GET /\r\n",
    ])
  func others(_ text: String) { #expect(request(text) == .notHTTP) }

  @Test("half a request is waited for", arguments: ["", "GE", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\n"])
  func halves(_ text: String) { #expect(request(text) == .incomplete) }

  @Test("a head without an end is one when it is long enough")
  func longHead() {
    let text = "GET / HTTP/1.1\r\nCookie: " + String(repeating: "x", count: FailurePage.longestRequest)
    #expect(request(text) == .page(.init(isHTML: false, hasBody: true)))
  }
}
