import Glibc
import Supervisor
import SupervisorDaemon
import Testing

private let emptyStatus = #"{"parameters":{"services":[]}}"#

@Suite("A control server among bad clients", .timeLimit(.minutes(5))) struct ControlServerLimitTests {
  /// Times short enough for a test.
  private var impatient: ControlLimits {
    var limits = ControlLimits()
    limits.halfMessage = .milliseconds(100)
    limits.unread = .milliseconds(100)
    return limits
  }

  @Test("disconnects who does not finish a message, however slowly it trickles")
  func halfMessage() throws {
    let server = try TestServer(limits: impatient)
    let silent = try server.client()
    let slow = try server.client()
    let started = Clock.now()
    try slow.send(Array("{\"method\":\"".utf8))
    try server.turn(until: "the slow client was disconnected") {
      // A byte now and then does not buy time.
      try slow.send([97])
      try slow.poll()
      return slow.isClosed
    }
    #expect(Clock.now() - started >= .milliseconds(100))
    #expect(server.lines.count == 1 && server.lines[0].contains("half a message"), "\(server.lines)")
    // Whoever says nothing at all may stay.
    try silent.call(.status)
    #expect(try silent.reply() == emptyStatus)
  }

  @Test("disconnects who sends without an end, after one message's worth")
  func hundredMegabytes() throws {
    let server = try TestServer()
    let bystander = try server.client()
    let client = try server.client()
    let chunk = [UInt8](repeating: 65, count: 1 << 20)
    var sent = 0
    try server.turn(until: "the client was disconnected") {
      if sent < 100 << 20 { sent += try client.send(chunk) }
      try client.poll()
      return client.isClosed
    }
    // What the kernel's buffer held is all that could be sent.
    #expect(sent < 2 << 20)
    try bystander.call(.status)
    #expect(try bystander.reply() == emptyStatus)
  }

  @Test("disconnects who asks and never reads; its memory stays bounded and others are served")
  func neverReads() throws {
    let server = try TestServer(limits: impatient)
    let big = LogsReply(lines: [String](repeating: String(repeating: "x", count: 1000), count: 100))
    server.answer = { call in
      if call.method == .logs { call.reply(big) } else { call.reply(StatusReply(services: [])) }
    }
    let client = try server.client()
    for _ in 0..<1000 { try client.call(.logs, #"{"name":"a"}"#) }
    let bystander = try server.client()
    try bystander.call(.status)
    #expect(try bystander.reply() == emptyStatus)
    try server.turn(until: "it was disconnected") { server.lines.contains { $0.contains("read nothing") } }
    // No call was begun while so much was unread: a few replies of 100 kB, not 1,000.
    #expect(server.calls.count < 20, "\(server.calls.count)")
    #expect(server.server?.connectionCount == 1)
  }

  @Test("a follower that does not read loses lines, is told how many, and goes on")
  func follower() throws {
    var limits = ControlLimits()
    limits.outputBytes = 100_000
    let server = try TestServer(limits: limits)
    server.answer = { call in
      call.dropRemark = { count in LogsReply(lines: ["\(count) lines dropped"]) }
    }
    let client = try server.client()
    try client.call(.logs, #"{"name":"a","follow":true}"#, #","more":true"#)
    try server.turn(until: "the call came") { server.calls.count == 1 }
    let line = String(repeating: "x", count: 10_000)
    let count = 200
    for _ in 0..<count { server.calls[0].progress(LogsReply(lines: [line])) }
    var lines = 0
    var remark = ""
    while remark.isEmpty {
      let reply = try client.reply()
      if reply.contains(line) { lines += 1 } else { remark = reply }
    }
    #expect(lines > 0 && lines < count)
    #expect(remark == "{\"parameters\":{\"lines\":[\"\(count - lines) lines dropped\"]},\"continues\":true}")
    server.calls[0].progress(LogsReply(lines: ["again"]))
    #expect(try client.reply().contains("again"))
  }

  @Test("a call without such a remark is ended, and told so, not left with gaps")
  func progressOverflow() throws {
    var limits = ControlLimits()
    limits.outputBytes = 100_000
    let server = try TestServer(limits: limits)
    server.answer = { _ in }
    let client = try server.client()
    try client.call(.restart, #"{"names":["a"]}"#, #","more":true"#)
    try server.turn(until: "the call came") { server.calls.count == 1 }
    var gone = false
    server.calls[0].onClose = { gone = true }
    let message = String(repeating: "x", count: 10_000)
    for _ in 0..<200 { server.calls[0].progress(ProgressReply(service: "a", message: message)) }
    // Never from inside the caller's own code.
    #expect(!gone)
    try server.turn(until: "the call ended") { gone }
  }

  @Test("a reply that is too long becomes an error that says so")
  func longReply() throws {
    var limits = ControlLimits()
    limits.outputBytes = 1000
    let server = try TestServer(limits: limits)
    server.answer = { $0.reply(LogsReply(lines: [String(repeating: "x", count: 2000)])) }
    let client = try server.client()
    try client.call(.logs)
    #expect(try client.reply().contains("ask for less"))
  }

  @Test("1,500 connections cost a bounded number, and a new client is served at once")
  func manyConnections() throws {
    let server = try TestServer()
    server.answer = { call in if call.method == .status { call.reply(StatusReply(services: [])) } }
    let waiting = try server.client()
    try waiting.call(.wait, #"{"names":["a"]}"#)
    try server.turn(until: "the call came") { server.calls.count == 1 }
    var crowd: [TestClient] = []
    for _ in 0..<15 {
      // Not all at once: the test itself may have no more than 1,024 descriptors.
      crowd = Array(crowd.suffix(128))
      for _ in 0..<100 { crowd.append(try server.client()) }
      try server.settle()
      #expect((server.server?.connectionCount ?? 0) <= ControlLimits().connections)
    }
    let started = Clock.now()
    let client = try server.client()
    try client.call(.status)
    #expect(try client.reply() == emptyStatus)
    #expect(Clock.now() - started < .seconds(1))
    // The one whose call is in progress kept its place, and the log was not flooded.
    #expect(server.calls[0].isOpen)
    #expect(server.lines.count <= 2, "\(server.lines)")
  }

  @Test("without a free place nobody's call in progress is interrupted")
  func allBusy() throws {
    var limits = ControlLimits()
    limits.connections = 3
    let server = try TestServer(limits: limits)
    server.answer = { _ in }
    let busy = try (0..<3).map { _ in try server.client() }
    for client in busy { try client.call(.wait) }
    try server.turn(until: "the calls came") { server.calls.count == 3 }
    let late = try server.client()
    try late.closed()
    server.calls[0].reply(StatusReply(services: []))
    #expect(try busy[0].reply() == emptyStatus)
    #expect(!server.calls.dropFirst().contains { !$0.isOpen })
  }

  /// In a process of its own, because it takes all descriptors away.
  @Test("without free descriptors it neither spins nor stops serving")
  func noDescriptors() async {
    await #expect(processExitsWith: .success) {
      let server = try TestServer()
      server.answer = { call in if call.method == .status { call.reply(StatusReply(services: [])) } }
      let first = try server.client()
      try first.call(.wait)
      try server.turn(until: "the call came") { server.calls.count == 1 }
      let late = try server.client()
      // No number below the limit is free: accept4(2) gives EMFILE.
      let highest = try FileDescriptor.open("/dev/null", O_RDONLY)
      var limit = rlimit(rlim_cur: rlim_t(highest.number), rlim_max: rlim_t(highest.number))
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      try late.closed()
      var rounds = 0
      while try server.loop.turn(atMost: .milliseconds(50)) { rounds += 1 }
      server.calls[0].reply(StatusReply(services: []))
      let answered = try first.reply() == emptyStatus
      // The folder can only be read with a descriptor.
      server.close()
      rmdir(server.folder.path)
      exit(answered && rounds < 10 ? 0 : 1)
    }
  }

  /// In a process of its own, because it becomes another user.
  @Test("another user is told that he may not, although the file lets him in", .enabled(if: geteuid() == 0))
  func anotherUser() async {
    await #expect(processExitsWith: .success) {
      let server = try TestServer()
      chmod(server.folder.path, 0o755)
      chmod(server.path, 0o666)
      seteuid(65534)
      let client = try server.client()
      try client.call(.shutdown)
      let reply = try client.reply()
      try client.closed()
      seteuid(0)
      let isRefused = reply.contains("org.fdsupervisord.Control.PermissionDenied")
      let isUntouched = server.calls.isEmpty && server.server?.connectionCount == 0
      server.close()
      server.folder.remove()
      exit(isRefused && isUntouched ? 0 : 1)
    }
  }
}
