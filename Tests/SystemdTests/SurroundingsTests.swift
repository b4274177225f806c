// Cgroups and the journal, as an administrator looks at them.

import Supervisor
import Testing

extension UnderSystemd {
  @Suite("the surroundings") struct Surroundings {
    @Test(
      "show each service by its name in systemd-cgls(1), and are left as they were")
    func cgroups() throws {
      let daemon = try Instance(
        "[service.shop]\ncommand = [\"\(Box.service)\", \"patient\", \"rest\"]\n", in: Box.shared)
      try daemon.start()
      try eventually("a running service") { try daemon.status("shop").state == .running ? true : nil }
      let tree = try daemon.box.run("systemd-cgls", "--no-pager", "--unit", daemon.unit)
      #expect(tree.contains("shop") && tree.contains("misbehaving"), "\(tree)")
      // A main process that systemd starts anew has to get into its place, whatever the one before left there.
      let pid = try daemon.pid
      try daemon.signal("SIGKILL")
      try daemon.awaitSuccessor(of: pid)
      try eventually("a running service") { try daemon.status("shop").state == .running ? true : nil }
      try daemon.systemctl("stop")
      #expect(!daemon.box.exists("/sys/fs/cgroup/system.slice/\(daemon.unit)/shop"))
    }

    @Test("have the output of each service in the journal, under its name, with its priorities")
    func output() throws {
      let name = "s\(UInt32.random(in: 0...UInt32.max))"
      let daemon = try Instance(
        """
        [service.\(name)]
        command = ["\(Box.service)", "print=plain", "print=<3>grave", "patient", "rest"]
        """, in: Box.shared)
      try daemon.start()
      let lines = try eventually("two lines in the journal") { () -> [Substring]? in
        let text = try daemon.box.journal(
          daemon.unit, "--identifier", name, "--output", "verbose", "--output-fields", "PRIORITY,MESSAGE")
        let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
        return lines.filter { $0.hasPrefix("MESSAGE=") }.count >= 2 ? lines : nil
      }
      #expect(lines.contains("MESSAGE=plain") && lines.contains("PRIORITY=6"), "\(lines)")
      #expect(lines.contains("MESSAGE=grave") && lines.contains("PRIORITY=3"), "\(lines)")
    }

    @Test("may lose journald: nothing waits for it, and the log goes on with the next one")
    func withoutJournald() throws {
      let name = "s\(UInt32.random(in: 0...UInt32.max))"
      let daemon = try Instance(
        """
        [service.\(name)]
        command = ["\(Box.service)", "print=hello", "patient", "rest"]
        """, in: Box.shared)
      try daemon.start()
      let journald = [
        "systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket",
        "systemd-journald-audit.socket",
      ]
      for unit in journald { _ = try daemon.box.attempt("systemctl", "stop", unit) }
      for _ in 0..<3 { try daemon.ctl("restart", name) }
      #expect(try daemon.status(name).generation == 4)
      try daemon.box.run("systemctl", "start", "systemd-journald.socket", "systemd-journald.service")
      try daemon.ctl("restart", name)
      try eventually("the output of the generation after") {
        try daemon.box.journal(daemon.unit, "--identifier", name, "--since", "-5s").contains("hello")
          ? true : nil
      }
    }

    @Test("explain what happened: structured fields, and journalctl -x")
    func catalogue() throws {
      let name = "s\(UInt32.random(in: 0...UInt32.max))"
      let daemon = try Instance(
        "[service.\(name)]\ncommand = [\"\(Box.service)\", \"exit=3\"]\nrestart = \"never\"\n",
        in: Box.shared)
      try daemon.start()
      let text = try eventually("an explanation") { () -> String? in
        let text = try daemon.box.journal(daemon.unit, "--catalog", "SERVICE=\(name)")
        return text.contains("Subject: ") ? text : nil
      }
      #expect(text.contains(name))
    }
  }
}
