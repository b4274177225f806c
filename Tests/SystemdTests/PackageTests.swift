// The Debian package: installed, enabled, upgraded under load, purged. In a box of its own.

import Glibc
import Supervisor
import Testing

extension UnderSystemd {
  @Suite("the package", .enabled(if: access("/usr/bin/dpkg-shlibdeps", X_OK) == 0, "skipped: no dpkg-dev"))
  struct Package {
    private static let unit = "fdsupervisord.service"

    @Test("is installed and enabled, upgraded without a word to the clients, and purged without a trace")
    func life() throws {
      let box = try Box()
      let package = try make(in: box)
      try box.run("dpkg", "--install", package, within: .seconds(60))
      #expect(try box.attempt("systemctl", "is-enabled", Self.unit).output == "disabled\n")
      #expect(try box.property("ActiveState", of: Self.unit) == "inactive")
      for folder in ["bash-completion/completions", "man/man8", "zsh/vendor-completions"] {
        #expect(
          try box.run("find", "/usr/share/\(folder)", "-name", "*fdsupervisor*", "-size", "+1").isEmpty
            == false)
      }

      let address = Sample.address()
      let file = "/etc/fdsupervisord.d/app.toml"
      try box.write(Sample.socket("web", "\"\(address)\"") + Sample.service(), to: file)
      try box.run("systemctl", "enable", "--now", "--quiet", Self.unit)
      let load = try Load(on: address, in: box)
      let before = try service(in: box)
      let upgrade = try box.attempt("dpkg", "--install", package, within: .seconds(60))
      #expect(
        upgrade.status == 0 && !upgrade.errors.contains("former version"), "\(upgrade)")
      #expect(try service(in: box) == before)
      let result = try load.end()
      #expect(result.isFlawless, "\(result)")

      try box.run("rm", file)
      try box.run("dpkg", "--purge", "fdsupervisord", within: .seconds(60))
      #expect(try box.attempt("systemctl", "is-active", Self.unit).output == "inactive\n")
      let left = try box.run(
        "find", "/etc", "/usr", "/run", "/var/lib/dpkg/info", "-xdev", "-name", "*fdsupervis*")
      #expect(left.isEmpty, "\(left)")
    }

    private func make(in box: Box) throws -> String {
      let output = try box.run(
        "\(Box.sources)/scripts/make-deb", "--binaries", Box.programs, "--output", "/var/tmp",
        "--compression",
        "none", within: .seconds(90))
      return String(try #require(output.split(separator: "\n").last))
    }

    /// The main process of the service and of the daemon.
    private func service(in box: Box) throws -> [String] {
      let status = try eventually("a running service") {
        let text = try box.attempt("fdsupervisorctl", "status", "app").output
        return text.contains("running") ? text : nil
      }
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("app") })
      let pid = line.split(separator: " ").first { Int($0) != nil }
      return [String(try #require(pid)), try box.property("MainPID", of: Self.unit)]
    }
  }
}
