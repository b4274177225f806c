import Glibc
import Supervisor
import Testing

/// Something that can't be launched, and what is said about it.
struct BadLaunch: Sendable, CustomTestStringConvertible {
  var name: String
  /// FOLDER is replaced by the test's own folder.
  var command = #"["FOLDER/program"]"#
  var program: (text: String, mode: mode_t)?
  var more = ""
  var message: String

  var testDescription: String { name }

  static let all = [
    BadLaunch(
      name: "no such command", command: #"["/no/such/program"]"#,
      message: #"cannot execute "/no/such/program": No such file or directory"#),
    BadLaunch(
      name: "not in PATH", command: #"["no-such-program-anywhere"]"#,
      message:
        #"cannot execute "no-such-program-anywhere": No such file or directory; it is in none of the folders"#
    ),
    BadLaunch(
      name: "not executable", program: ("#!/bin/sh\n", 0o644),
      message:
        #"cannot execute "FOLDER/program": Permission denied; make it executable: chmod +x FOLDER/program"#
    ),
    BadLaunch(
      name: "a directory", command: #"["FOLDER"]"#,
      message: #"cannot execute "FOLDER": Permission denied; it is a directory"#),
    BadLaunch(
      name: "bad interpreter", program: ("#!/no/such/interpreter -x\n", 0o755),
      message: #"the file is there, but its interpreter "/no/such/interpreter" is not"#),
    BadLaunch(
      name: "no program at all", program: ("\u{1}\u{2}\u{3}", 0o755),
      message: "Exec format error; it is neither a program for this machine nor a script that begins with #!"),
    BadLaunch(
      name: "argument list too long",
      command: #"["/bin/true", ""# + String(repeating: "x", count: 200_000) + #""]"#,
      message: #"cannot execute "/bin/true": Argument list too long; one string may have 128 KiB"#),
    BadLaunch(
      name: "unknown user", command: #"["/bin/true"]"#, more: #"user = "nobody-of-that-name""#,
      message: #"cannot look up user "nobody-of-that-name": there is no such user"#),
    BadLaunch(
      name: "missing directory", command: #"["/bin/true"]"#, more: #"directory = "/no/such/folder""#,
      message: #"cannot change to directory "/no/such/folder": No such file or directory"#),
  ]
}

@Suite("A launch that fails", .timeLimit(.minutes(5))) struct FailingLaunchTests {
  private let world: World

  init() throws { world = try World() }

  @Test("says which step failed and why, is bounded, and harms and loses nothing", arguments: BadLaunch.all)
  func says(_ bad: BadLaunch) throws {
    let address = World.address()
    func expand(_ text: String) -> String {
      let parts = text.split(separator: "FOLDER", omittingEmptySubsequences: false)
      return parts.joined(separator: world.folder.path)
    }
    if let program = bad.program { try world.write(program.text, to: "program", mode: program.mode) }
    try world.start(
      """
      [socket.web]
      listen = "\(address)"
      [service.good]
      command = \(try world.command("serve"))
      sockets = ["web"]
      [service.bad]
      command = \(expand(bad.command))
      autostart = false
      backoff = { initial = "20ms", max = "50ms" }
      start_limit = { burst = 3, interval = "1m", action = "fail" }
      \(bad.more)
      """, running: ["good"])
    let good = try world.status("good").pid

    #expect(try world.operate(.start, "bad").ok == false)
    let status = try world.reach("bad", .failed, generation: 3)
    #expect(status.generation == 3 && status.message?.contains(expand(bad.message)) == true, "\(status)")
    #expect(world.log.contains("bad: " + (status.message ?? "?")))
    let descriptors = try world.descriptors
    #expect(try world.operate(.start, "bad").ok == false)
    try world.reach("bad", .failed, generation: 6)

    try eventually("the daemon has no more than its \(descriptors) descriptors") {
      try world.descriptors <= descriptors ? true : nil
    }
    #expect(try Client.ask(address) == good)
  }

  @Test("for want of descriptors leaves the daemon able to answer, and to stop what runs")
  func outOfDescriptors() throws {
    let services = (0..<12).map { "[service.s\($0)]\ncommand = [\"sleep\", \"50\"]\n" }
    try world.start(
      services.joined(), prefix: ["/usr/bin/env", "prlimit", "--nofile=52:52"])
    let failed = try eventually("a service has no descriptors") {
      let reply = try world.call(.status, ServiceSelection(names: [], all: true), as: StatusReply.self)
      return reply.services.first { $0.message?.contains("Too many open files") == true }
    }
    #expect(failed.message?.contains("the daemon's limit of open files is reached") == true)
    let all = try world.call(.status, ServiceSelection(names: [], all: true), as: StatusReply.self).services
    let running = try #require(all.first { $0.state == .running })
    #expect(try world.operate(.stop, running.name).ok)
  }

  @Test(
    "for want of processes is tried again, and the daemon goes on",
    .enabled(if: geteuid() == 0 && World.isOpenToOthers, "only root can become a user without processes"))
  func outOfProcesses() throws {
    let services = (0..<6).map { "[service.s\($0)]\ncommand = [\"sleep\", \"50\"]\n" }
    let control = world.openPath("control.sock")
    let user = "\(UInt32.random(in: 100_000...900_000))"
    let notify = try NotifyListener(world.path("notify.sock"))
    let daemon = try world.spawn(
      services.joined(),
      prefix: [
        "/usr/bin/env", "prlimit", "--nproc=6", "setpriv", "--reuid=\(user)", "--regid=\(user)",
        "--clear-groups",
      ],
      environment: ["NOTIFY_SOCKET=\(notify.path)"], control: control)
    world.adopt(daemon)
    try eventually("ready") { try notify.hasSaid("READY=1") ? true : nil }
    try eventually("a launch fails") {
      let reply = try ControlClient(path: control).call(
        .status, ServiceSelection(names: [], all: true), as: StatusReply.self)
      let messages = reply.services.compactMap(\.message)
      #expect(reply.services.count == 6)
      return messages.contains { $0.contains("Resource temporarily unavailable") } ? true : nil
    }
    #expect(daemon.isRunning)
  }
}
