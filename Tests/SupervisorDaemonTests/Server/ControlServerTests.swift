import Glibc
import Supervisor
import SupervisorDaemon
import Testing

private let emptyStatus = #"{"parameters":{"services":[]}}"#

@Suite("A control server", .timeLimit(.minutes(5))) struct ControlServerTests {
  @Test("answers a call, and the next one on the same connection")
  func answers() throws {
    let server = try TestServer()
    let client = try server.client()
    for _ in 0..<3 {
      try client.call(.status, #"{"names":[],"all":true}"#)
      #expect(try client.reply() == emptyStatus)
    }
    #expect(server.calls.map(\.method) == [.status, .status, .status])
    #expect(server.calls[0].peerPID == getpid())
    #expect(server.calls[0].peerUID == geteuid())
    let selection = try server.calls[0].parameters(as: ServiceSelection.self)
    #expect(selection == ServiceSelection(names: [], all: true))
  }

  @Test("answers pipelined calls in their order, even when they are answered late")
  func pipelining() throws {
    let server = try TestServer()
    server.answer = { _ in }
    let client = try server.client()
    for name in ["a", "b", "c"] { try client.call(.logs, "{\"name\":\"\(name)\"}") }
    for name in ["a", "b", "c"] {
      try server.turn(until: "the call came") { server.calls.last.map { $0.isOpen } ?? false }
      try server.settle()
      let call = try #require(server.calls.last)
      let asked = try call.parameters(as: LogsParameters.self).name
      #expect(asked == name)
      call.reply(LogsReply(lines: [name]))
      #expect(try client.reply() == "{\"parameters\":{\"lines\":[\"\(name)\"]}}")
    }
  }

  @Test("answers thousands of calls in one write, and lets others in between")
  func flood() throws {
    let server = try TestServer()
    let client = try server.client()
    let other = try server.client()
    let one = Array("{\"method\":\"org.fdsupervisord.Control.Status\"}\0".utf8)
    let count = 1000
    let sent = try client.send([UInt8]([[UInt8]](repeating: one, count: count).joined()))
    #expect(sent == one.count * count)
    try other.call(.status)
    #expect(try other.reply() == emptyStatus)
    #expect(server.calls.count < count)
    for _ in 0..<count { #expect(try client.reply() == emptyStatus) }
  }

  @Test("streams progress to who says more, and to nobody else")
  func progress() throws {
    let server = try TestServer()
    server.answer = { call in
      call.progress(ProgressReply(service: "app", message: "stopping"))
      call.reply(OperationReply(outcomes: []))
    }
    let client = try server.client()
    try client.call(.restart, #"{"names":["app"]}"#, #","more":true"#)
    #expect(
      try client.reply()
        == #"{"parameters":{"progress":{"message":"stopping","service":"app"}},"continues":true}"#)
    #expect(try client.reply() == #"{"parameters":{"outcomes":[]}}"#)
    try client.call(.restart, #"{"names":["app"]}"#)
    #expect(try client.reply() == #"{"parameters":{"outcomes":[]}}"#)
  }

  @Test("does what a oneway call says, and does not answer it")
  func oneWay() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.call(.signal, "{}", #","oneway":true"#)
    try client.call(.status)
    #expect(try client.reply() == emptyStatus)
    #expect(server.calls.map(\.method) == [.signal, .status])
  }

  @Test("ignores a second answer")
  func twice() throws {
    let server = try TestServer()
    server.answer = { call in
      call.fail(.noSuchService, "no service \"x\"")
      call.reply(StatusReply(services: []))
      #expect(!call.isOpen)
    }
    let client = try server.client()
    try client.call(.start)
    try client.call(.status)
    let error =
      #"{"error":"org.fdsupervisord.Control.NoSuchService","parameters":{"message":"no service \"x\""}}"#
    #expect(try client.reply() == error)
    #expect(try client.reply() == error)
  }

  @Test(
    "says what is wrong with a call, in Varlink's own errors",
    arguments: [
      (#"{"method":"org.none.Get"}"#, #"InterfaceNotFound","parameters":{"interface":"org.none"}}"#),
      (#"{"method":"org.fdsupervisord.Control.Kill"}"#, #"MethodNotFound","parameters":{"method":"Kill"}}"#),
      (#"{"method":"org.varlink.service.Get"}"#, #"MethodNotFound","parameters":{"method":"Get"}}"#),
      (
        #"{"method":"org.fdsupervisord.Control.Status","upgrade":true}"#,
        #"InvalidParameter","parameters":{"parameter":"upgrade"}}"#
      ),
      (
        #"{"method":"org.fdsupervisord.Control.Logs","parameters":{"name":1}}"#,
        #"InvalidParameter","parameters":{"parameter":"name"}}"#
      ),
      (
        #"{"method":"org.fdsupervisord.Control.Logs","parameters":[1,2]}"#,
        #"InvalidParameter","parameters":{"parameter":"parameters"}}"#
      ),
      (
        #"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"a.b"}}"#,
        #"InterfaceNotFound","parameters":{"interface":"a.b"}}"#
      ),
    ])
  func errors(_ call: String, _ error: String) throws {
    let server = try TestServer()
    server.answer = { call in
      do throws(ControlCall.AlreadyAnswered) {
        _ = try call.parameters(as: LogsParameters.self)
        Issue.record("decoded")
      } catch {}
    }
    let client = try server.client()
    try client.send(call)
    #expect(try client.reply() == #"{"error":"org.varlink.service."# + error)
  }

  @Test("tells who it is and what it can do")
  func introspection() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send(#"{"method":"org.varlink.service.GetInfo"}"#)
    let who = try client.reply()
    #expect(who.contains(#""interfaces":["org.varlink.service","org.fdsupervisord.Control"]"#))
    #expect(who.contains(#""product":"fdsupervisord""#))
    for name in ["org.varlink.service", "org.fdsupervisord.Control"] {
      try client.send(
        "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":\"\(name)\"}}"
      )
      #expect(try client.reply().contains("interface \(name)\\n"))
    }
  }

  @Test(
    "disconnects who sends garbage, and says so",
    arguments: [
      "", "GET / HTTP/1.1\r\n\r\n", "[]", "{}", #"{"method":1}"#, #"{"method":"nodot"}"#,
      #"{"method":"a.b","parameters":"# + String(repeating: "[", count: 5000), "\u{ff}\u{1}",
    ])
  func garbage(_ text: String) throws {
    let server = try TestServer()
    let bystander = try server.client()
    let client = try server.client()
    try client.send(text)
    try client.closed()
    #expect(server.lines.count == 1 && server.lines[0].contains("pid \(getpid())"), "\(server.lines)")
    try bystander.call(.status)
    #expect(try bystander.reply() == emptyStatus)
  }

  @Test("tells the call when its client goes away, and only then")
  func clientGone() throws {
    let server = try TestServer()
    server.answer = { _ in }
    var gone = 0
    do {
      let client = try server.client()
      try client.call(.wait, #"{"names":["app"]}"#)
      try server.turn(until: "the call came") { server.calls.count == 1 }
      server.calls[0].onClose = { gone += 1 }
      try server.settle()
      #expect(gone == 0 && server.calls[0].isOpen)
    }
    try server.turn(until: "the client's end was seen") { gone == 1 }
    #expect(!server.calls[0].isOpen)
    server.calls[0].reply(StatusReply(services: []))
    try server.settle()
    #expect(gone == 1 && server.server?.connectionCount == 0)
  }

  @Test("answers a client that finished sending, then closes")
  func halfClosed() throws {
    let server = try TestServer()
    server.answer = { _ in }
    let client = try server.client()
    try client.call(.status)
    try client.call(.status)
    client.finishSending()
    for number in 1...2 {
      try server.turn(until: "call \(number) came") { server.calls.count == number }
      try server.settle()
      server.calls[number - 1].reply(StatusReply(services: []))
      #expect(try client.reply() == emptyStatus)
    }
    try client.closed()
    #expect(server.server?.connectionCount == 0)
  }

  @Test("removes its socket when it closes, and tells the calls in progress")
  func close() throws {
    let server = try TestServer()
    server.answer = { _ in }
    let client = try server.client()
    try client.call(.status)
    try server.turn(until: "the call came") { server.calls.count == 1 }
    var gone = false
    server.calls[0].onClose = { gone = true }
    server.close()
    #expect(gone)
    #expect(access(server.path, F_OK) == -1)
    try client.closed()
  }
}
