// The units as they are installed, and what they promise of the daemon.

import Supervisor
import Testing

extension UnderSystemd {
  @Suite("the units") struct Units {
    @Test("are what systemd-analyze(1) has nothing to say about")
    func verified() throws {
      let box = try Box.shared
      for unit in ["fdsupervisord.service", "fdsupervisord@x.service"] {
        let outcome = try box.attempt("systemd-analyze", "verify", unit)
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      }
      for unit in ["fdsupervisord.service", "fdsupervisord@x.service"] {
        let outcome = try box.attempt(
          "env", "XDG_RUNTIME_DIR=/run", "systemd-analyze", "--user", "verify", unit)
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      }
      let example = "/run/systemd/system/fdsupervisord.socket"
      try box.run("cp", "/usr/share/doc/fdsupervisord/examples/fdsupervisord.socket", example)
      let outcome = try box.attempt("systemd-analyze", "verify", example)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      try box.run("rm", example)
    }

    @Test("take from services what hardly any misses, and with hardening.conf most of the rest")
    func exposure() throws {
      let box = try Box.shared
      let address = Sample.address()
      let plain = try Instance(Sample.socket("web", "\"\(address)\"") + Sample.service(), in: box)
      #expect(try box.exposure(plain.unit) <= 8.2)
      let hardening = box.text(of: "/usr/share/doc/fdsupervisord/hardening.conf")
      #expect(!hardening.isEmpty)
      let hardened = try Instance(
        Sample.socket("web", "\"\(address)\"")
          + Sample.service(more: "user = \"nobody\"\nlimits = { nofile = 4096 }\nnice = 1"),
        in: box, dropIn: hardening)
      #expect(try box.exposure(hardened.unit) <= 3.8)
      try hardened.start()
      let load = try Load(on: address, in: box)
      try hardened.ctl("restart", "app")
      let result = try load.end()
      #expect(result.isFlawless, "\(result)\n\(hardened.log)")
      let holders = try hardened.ctl("holders", address)
      #expect(holders.contains("app #2"), "\(holders)")
    }

    @Test("agree with each other, but for names and paths")
    func alike() throws {
      let box = try Box.shared
      let folder = "/usr/lib/systemd/system/fdsupervisord"
      let (one, template) = (box.directives("\(folder).service"), box.directives("\(folder)@.service"))
      #expect(!one.isEmpty)
      #expect(one == template)
      let user = "/usr/lib/systemd/user/fdsupervisord"
      let (ofUser, templateOfUser) = (box.directives("\(user).service"), box.directives("\(user)@.service"))
      #expect(ofUser == templateOfUser)
      #expect(ofUser.isSubset(of: one.union(["WantedBy=default.target", "RuntimeDirectoryMode=0700"])))
    }

    @Test("start the daemon with the configuration that is installed, and it can be enabled")
    func asInstalled() throws {
      let box = try Box.shared
      let address = Sample.address()
      try box.write(
        Sample.socket("web", "\"\(address)\"") + Sample.service(), to: "/etc/fdsupervisord.d/app.toml")
      try box.run("systemctl", "enable", "--now", "--quiet", "fdsupervisord.service")
      #expect(try box.property("ActiveState", of: "fdsupervisord.service") == "active")
      try eventually("a running service") {
        try box.attempt("fdsupervisorctl", "status", "app").output.contains("running") ? true : nil
      }
      let load = try Load(on: address, in: box)
      #expect(try load.end().isFlawless)
      try box.run("fdsupervisorctl", "shutdown")
      try eventually("an end that is not taken for a failure") {
        try box.property("ActiveState", of: "fdsupervisord.service") == "inactive" ? true : nil
      }
      try box.run("systemctl", "disable", "--now", "--quiet", "fdsupervisord.service")
      try box.run("rm", "/etc/fdsupervisord.d/app.toml")
    }

    @Test("start a daemon of a user")
    func ofUser() throws {
      let box = try Box.shared
      let (address, home) = (Sample.address(), "/var/lib/user-trial")
      // A manager for a user without a login, which needs neither logind nor a bus.
      try box.run(
        "systemd-run", "--quiet", "--unit=user-trial", "--property=User=nobody", "--property=Delegate=yes",
        "--property=RuntimeDirectory=user-trial", "--property=StateDirectory=user-trial",
        "--property=Type=notify",
        "--setenv=XDG_RUNTIME_DIR=/run/user-trial", "--setenv=HOME=\(home)", "/lib/systemd/systemd", "--user")
      try box.write(
        Sample.socket("web", "\"\(address)\"") + Sample.service(), to: "\(home)/.config/fdsupervisord.toml")
      try box.run("chown", "--recursive", "nobody", home)
      let asUser = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "env"]
      let known = ["XDG_RUNTIME_DIR=/run/user-trial", "HOME=\(home)"]
      let systemctl = box.command(asUser + known + ["systemctl", "--user"])
      let started = try Program.run(systemctl + ["start", "fdsupervisord"])
      #expect(started.status == 0, "\(started)")
      let status = box.command(asUser + known + ["fdsupervisorctl", "status", "app"])
      try eventually("a running service") {
        try Program.run(status).output.contains("running") ? true : nil
      }
      #expect(try Load(on: address, in: box).end().isFlawless)
      let stopped = try Program.run(systemctl + ["stop", "fdsupervisord"])
      #expect(stopped.status == 0, "\(stopped)")
      try box.run("systemctl", "stop", "user-trial")
    }

    @Test("do not try a wrong configuration again and again")
    func wrongConfiguration() throws {
      let daemon = try Instance("[service.app]\ncomand = [\"x\"]\n", in: Box.shared)
      #expect(try daemon.box.attempt("systemctl", "start", daemon.unit).status != 0)
      #expect(try daemon.box.property("ExecMainStatus", of: daemon.unit) == "78")
      #expect(try daemon.box.property("NRestarts", of: daemon.unit) == "0")
      #expect(try daemon.journal().contains("did you mean 'command'?"))
    }
  }
}

extension Box {
  /// The overall figure of systemd-analyze(1) security.
  fileprivate func exposure(_ unit: String) throws -> Double {
    let last = try run("systemd-analyze", "security", "--no-pager", unit).split(separator: "\n").last ?? ""
    return try #require(last.split(separator: " ").compactMap { Double($0) }.first)
  }

  /// The lines of a unit that say how it runs.
  fileprivate func directives(_ path: String) -> Set<String> {
    let naming = ["#", "[", "ExecStart=", "ExecReload=", "RuntimeDirectory=", "Description="]
    return Set(
      text(of: path).split(separator: "\n").map(String.init).filter { line in
        !naming.contains { line.hasPrefix($0) }
      })
  }
}
