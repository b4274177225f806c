// One daemon of the box, from the template unit fdsupervisord@.service.

import FoundationEssentials
import Supervisor
import Testing

/// A daemon with a configuration of its own; it is stopped with its owner.
final class Instance {
  let box: Box
  let name: String
  var unit: String { "fdsupervisord@\(name).service" }
  var control: String { "/run/fdsupervisord-\(name)/control.sock" }

  /// - Parameters:
  ///   - sockets: the [Socket] sections of .socket units that systemd opens for it, by the names of the units.
  ///   - dropIn: [Service] directives beside those of the template.
  init(
    _ configuration: String, in box: Box, sockets: [String: String] = [:], dropIn: String = ""
  ) throws {
    self.box = box
    let name = "t\(UInt32.random(in: 0...UInt32.max))"
    self.name = name
    self.socketUnits = sockets.keys.sorted().map { "\($0)-\(name).socket" }
    try configure(configuration)
    for (socket, text) in sockets {
      try box.write(
        "[Socket]\nService=\(unit)\n\(text)\n", to: "/run/systemd/system/\(socket)-\(name).socket")
    }
    if !dropIn.isEmpty {
      try box.write("[Service]\n\(dropIn)\n", to: "/run/systemd/system/\(unit).d/test.conf")
    }
    try box.run("systemctl", "daemon-reload")
    for socket in self.socketUnits { try box.run("systemctl", "start", socket) }
  }

  private let socketUnits: [String]

  deinit {
    do {
      for socket in socketUnits { try box.run("systemctl", "stop", socket) }
      try box.run("systemctl", "stop", unit)
    } catch {
      Issue.record("\(error)")
    }
  }

  func configure(_ text: String) throws { try box.write(text, to: "/etc/fdsupervisord/\(name).toml") }

  func start() throws {
    let outcome = try box.attempt("systemctl", "start", unit)
    if outcome.status != 0 { throw NeverHappened(description: "\(outcome)\n\(try box.journal(unit))") }
  }

  /// systemctl(1) with a verb.
  func systemctl(_ verb: String) throws { try box.run("systemctl", verb, unit) }

  /// Sends a signal to the daemon alone.
  func signal(_ signal: String) throws {
    try box.run("systemctl", "kill", "--kill-who=main", "--signal", signal, unit)
  }

  var pid: Int { get throws { Int(try box.property("MainPID", of: unit)) ?? 0 } }

  /// Waits until another daemon than that one is ready.
  func awaitSuccessor(of pid: Int, within limit: Duration = .seconds(20)) throws {
    try eventually("another daemon than \(pid)", within: limit) {
      let now = try self.pid
      let state = try box.property("ActiveState", of: unit)
      return now != 0 && now != pid && state == "active" ? true : nil
    }
  }

  @discardableResult func ctl(_ words: String...) throws -> String {
    let outcome = try Program.run(box.command(["fdsupervisorctl", "--control", control] + words))
    if outcome.status != 0 { throw NeverHappened(description: "success of \(outcome)") }
    return outcome.output
  }

  func status(_ service: String = "app") throws -> ServiceStatus {
    let text = try ctl("status", "--json", service)
    let reply = try JSONDecoder().decode(StatusReply.self, from: Data(text.utf8))
    return try #require(reply.services.first)
  }

  func sockets() throws -> [SocketStatus] {
    let text = try ctl("sockets", "--json")
    return try JSONDecoder().decode(SocketsReply.self, from: Data(text.utf8)).sockets
  }

  /// The same for the comment of an expectation.
  var log: String {
    do { return try journal() } catch { return "\(error)" }
  }

  /// The daemon's log.
  func journal() throws -> String { try box.journal(unit, "--output", "cat") }
}
