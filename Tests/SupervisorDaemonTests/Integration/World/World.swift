// One daemon of its own for one test: folder, configuration, control socket, and an end that leaves nothing behind.

import CLinux
import FoundationEssentials
import Glibc
import Supervisor
import Testing

/// What a test needs around the daemon that it drives.
final class World {
  let folder: TestFolder
  let register: Register
  private(set) var daemon: Spawned?
  /// The end is checked: a clean exit, with nothing left.
  var end = End.clean

  enum End {
    /// The daemon ends with 0 when it is asked to.
    case clean
    /// The test ended it in its own way.
    case own
  }

  init() throws {
    folder = try TestFolder()
    // Services under other users find their files here.
    chmod(folder.path, 0o755)
    register = try Register(folder.path + "/register")
  }

  deinit {
    do {
      if let daemon, daemon.isRunning {
        try daemon.send(SIGTERM)
        let status = try daemon.status()
        if end == .clean { #expect(status == 0, "\(log)") }
      }
      try register.awaitEmpty("the daemon's end")
    } catch {
      Issue.record("\(error)\n\(log)")
    }
  }

  var control: String { folder.path + "/control.sock" }
  func path(_ name: String) -> String { folder.path + "/" + name }
  var log: String { text(of: "daemon.log") }

  func text(of name: String) -> String {
    String(decoding: contents(ofSmallFile: path(name), limit: 64 << 20) ?? [], as: UTF8.self)
  }

  /// Writes a file of the folder, 0644 whatever the umask is.
  func write(_ text: String, to name: String, mode: mode_t = 0o644) throws {
    let file = try FileDescriptor.open(path(name), O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    var bytes = Array(text.utf8)
    _ = try bytes.withUnsafeMutableBytes { try file.write(UnsafeRawBufferPointer($0)) }
    fchmod(file.number, mode)
  }

  /// An address that no other test has: there are millions of loopback addresses, and ports below those that the
  /// kernel hands out by itself.
  static func address() -> String {
    let part = { Int.random(in: 1...254) }
    return "127.\(part()).\(part()).\(part()):\(Int.random(in: 10_000...29_999))"
  }

  /// The start of the fixture's command, in TOML.
  func command(_ words: String...) throws -> String {
    let program = try ChildProcess.built("misbehaving")
    return "[" + ([program, "register=\(register.path)"] + words).map { "\"\($0)\"" }.joined(separator: ", ")
      + "]"
  }

  /// The same for a service that does not register.
  func plainCommand(_ words: String...) throws -> String {
    "[" + ([try ChildProcess.built("misbehaving")] + words).map { "\"\($0)\"" }.joined(separator: ", ") + "]"
  }

  /// Whether other users can execute what was built: every folder above it lets them through.
  static var isOpenToOthers: Bool {
    var folder: String
    do { folder = try ChildProcess.built("misbehaving") } catch { return false }
    while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
      folder = String(folder[..<slash])
      var status = Glibc.stat()
      if stat(folder, &status) == -1 || status.st_mode & S_IXOTH == 0 { return false }
    }
    return true
  }

  /// Lets whoever waits in the fixture's `await=` go on.
  func open(fifo name: String) throws {
    try eventually("somebody waits at \(name)") {
      let number = Glibc.open(path(name), O_WRONLY | O_NONBLOCK | O_CLOEXEC)
      if number >= 0 { close(number) }
      return number >= 0 ? true : nil
    }
  }

  func makeFifo(_ name: String) -> String {
    mkfifo(path(name), 0o666)
    chmod(path(name), 0o666)
    return path(name)
  }

  /// Takes a daemon that the test spawned for the one of this world.
  func adopt(_ spawned: Spawned) { daemon = spawned }

  /// How many descriptors the daemon has open.
  var descriptors: Int {
    get throws {
      let pid = try #require(daemon?.pid)
      return try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }
  }

  /// A file in a folder where everybody may write.
  func openPath(_ name: String) -> String {
    let folder = path("open")
    mkdir(folder, 0o777)
    chmod(folder, 0o777)
    return folder + "/" + name
  }

  /// Starts the daemon and waits until it says that it is ready.
  ///
  /// - Parameters:
  ///   - prefix: a program, with its arguments, that executes the daemon.
  ///   - program: another than the daemon that was built.
  ///   - running: services to wait for.
  func start(
    _ configuration: String, program: String? = nil, prefix: [String] = [], environment: [String] = [],
    extra: [CInt: CInt] = [:],
    output: Spawned.Stream? = nil, running: [String] = []
  ) throws {
    let notify = try NotifyListener(path("notify.sock"))
    let daemon = try spawn(
      configuration, program: program, prefix: prefix,
      environment: environment + ["NOTIFY_SOCKET=\(notify.path)"],
      extra: extra,
      output: output)
    self.daemon = daemon
    try eventually("the daemon is ready") {
      if !daemon.isRunning { throw NeverHappened(what: "a running daemon: \(log)") }
      return try notify.hasSaid("READY=1") ? true : nil
    }
    for name in running { try reach(name) }
  }

  /// Starts a daemon, and leaves the rest to the caller.
  func spawn(
    _ configuration: String, name: String = "fdsupervisord.toml", program: String? = nil,
    prefix: [String] = [],
    environment: [String] = [],
    extra: [CInt: CInt] = [:], output: Spawned.Stream? = nil, control: String? = nil
  ) throws -> Spawned {
    try write(configuration, to: name)
    let program = try program ?? ChildProcess.built("fdsupervisord")
    let words = prefix + [program, "--config", path(name), "--control", control ?? self.control]
    let stream = output ?? .file(path("daemon.log"))
    return try Spawned(
      words[0], Array(words.dropFirst()), environment: Spawned.plainEnvironment + environment,
      output: stream, errors: stream, extra: extra, care: .leashed)
  }

  /// Calls a method of the daemon.
  func call<Value: Decodable>(
    _ method: ControlMethod, _ parameters: some Encodable, as type: Value.Type
  ) throws -> Value {
    try ControlClient(path: control).call(method, parameters, as: type)
  }

  func status(_ name: String = "app") throws -> ServiceStatus {
    let reply = try call(.status, ServiceSelection(names: [name]), as: StatusReply.self)
    return try #require(reply.services.first)
  }

  @discardableResult func reach(
    _ name: String = "app", _ state: PublicState = .running, generation: Int = 1
  ) throws -> ServiceStatus {
    var last: ServiceStatus?
    do {
      return try eventually("\(name) is \(state), generation \(generation)") {
        let status = try status(name)
        last = status
        return status.state == state && status.generation >= generation ? status : nil
      }
    } catch let error as NeverHappened {
      throw NeverHappened(what: "\(error.what); last: \(last.map { "\($0)" } ?? "none")\n\(log)")
    }
  }

  func operate(_ method: ControlMethod, _ name: String = "app") throws -> OperationReply.Outcome {
    let reply = try call(method, ServiceSelection(names: [name]), as: OperationReply.self)
    return try #require(reply.outcomes.first)
  }

  /// Restarts a service and returns the report.
  @discardableResult func restart(_ name: String = "app") throws -> RelaunchReport {
    let outcome = try operate(.restart, name)
    #expect(outcome.ok, "\(outcome.message)\n\(log)")
    return try #require(outcome.report)
  }

  /// Kills the main process of a service, which is a descendant of this test.
  func crash(_ name: String = "app") throws {
    let pid = try #require(try status(name).pid)
    let stat = try #require(ProcessTable.stat(of: pid))
    _ = try PidFD.open(stat.identity).send(SIGKILL)
  }

  /// Runs the command line tool.
  func ctl(_ arguments: String...) throws -> ChildResult { try ctl(arguments) }

  /// The same, while the test goes on.
  func ctlInBackground(_ arguments: String...) throws -> Spawned {
    try Spawned(try ChildProcess.built("fdsupervisorctl"), ["--control", control] + arguments)
  }

  func ctl(_ arguments: [String]) throws -> ChildResult {
    let run = UInt32.random(in: 0...UInt32.max)
    let tool = try Spawned(
      try ChildProcess.built("fdsupervisorctl"), ["--control", control] + arguments,
      output: .file(path("out-\(run)")), errors: .file(path("err-\(run)")))
    let status = try tool.status()
    return ChildResult(status: status, output: text(of: "out-\(run)"), errors: text(of: "err-\(run)"))
  }

  /// The inode of the listener behind a socket.
  func inode(_ socket: String = "web") throws -> UInt64 {
    let sockets = try call(.sockets, NoParameters(), as: SocketsReply.self).sockets
    return try #require(sockets.first { $0.name == socket }).inode
  }
}

/// Looks again and again, until it finds something or the time is over.
@discardableResult func eventually<Value>(
  _ what: String, within limit: Duration = .seconds(20), _ look: () throws -> Value?
) throws -> Value {
  let end = Clock.now() + limit
  while true {
    if let found = try look() { return found }
    if Clock.now() > end { throw NeverHappened(what: "\(what) within \(limit.text)") }
    Clock.pause(.milliseconds(5))
  }
}
