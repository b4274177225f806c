// What clients and services notice of a new configuration, a new program, or the daemon's death: nothing.

import Supervisor
import Testing

extension UnderSystemd {
  @Suite("a change of the daemon") struct Change {
    let address = Sample.address()

    private func configuration(_ more: String = "", survive: Bool = false) -> String {
      Sample.socket("web", "\"\(address)\"") + Sample.service(more: survive ? "survive = true" : "") + more
    }

    private func idle(_ number: Int) -> String {
      "[service.other]\ncommand = [\"\(Box.service)\", \"print=\(number)\", \"patient\", \"rest\"]\n"
    }

    /// Under load, three times: the clients and the service do not notice.
    private func expectUnnoticed(_ daemon: Instance, _ what: (Int) throws -> Void) throws {
      try eventually("a running service") { try daemon.status().state == .running ? true : nil }
      let before = try daemon.status()
      let load = try Load(on: address, in: daemon.box)
      for round in 1...3 { try what(round) }
      try eventually("a running service") { try daemon.status().state == .running ? true : nil }
      let (after, result) = (try daemon.status(), try load.end())
      #expect(after.pid == before.pid && after.generation == before.generation, "\(after)\n\(daemon.log)")
      #expect(result.isFlawless, "\(result)\n\(daemon.log)")
    }

    @Test(
      "is no change for what a reload does not touch")
    func reload() throws {
      let daemon = try Instance(configuration(), in: Box.shared)
      try daemon.start()
      let pid = try daemon.pid
      try expectUnnoticed(daemon) { round in
        try daemon.configure(configuration(idle(round)))
        try daemon.systemctl("reload")
        #expect(try daemon.status("other").state == .running)
      }
      try daemon.configure(configuration("nonsense"))
      #expect(try daemon.box.attempt("systemctl", "reload", daemon.unit).status != 0)
      #expect(try daemon.status("other").state == .running)
      #expect(try daemon.pid == pid)
      #expect(try daemon.box.property("ActiveState", of: daemon.unit) == "active")
      try daemon.configure(configuration())
    }

    @Test(
      "by a new program keeps its pid, the services and the clients")
    func reexec() throws {
      let daemon = try Instance(configuration(), in: Box.shared)
      try daemon.start()
      let pid = try daemon.pid
      try expectUnnoticed(daemon) { _ in try daemon.ctl("reexec") }
      #expect(try daemon.pid == pid)
      #expect(try daemon.box.property("ActiveState", of: daemon.unit) == "active")
      try daemon.systemctl("restart")
      #expect(try daemon.pid != pid)
    }

    @Test(
      "by its death is survived by the services that are to survive")
    func survive() throws {
      let daemon = try Instance(configuration(survive: true), in: Box.shared)
      try daemon.start()
      try expectUnnoticed(daemon) { _ in
        let pid = try daemon.pid
        try daemon.signal("SIGKILL")
        try daemon.awaitSuccessor(of: pid)
      }
      let group = "/sys/fs/cgroup\(try daemon.box.property("ControlGroup", of: daemon.unit))"
      try daemon.systemctl("stop")
      try eventually("an end of everything") {
        try daemon.box.attempt("sh", "-c", "cat $(find \(group) -name cgroup.procs)").output.isEmpty
          ? true : nil
      }
    }
  }
}
