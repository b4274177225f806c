// The recipes of all programs that are not written in Python.

import Glibc
import Supervisor
import Testing

extension Recipe {
  static let others = webServers + runtimes + stores + perConnection

  private static let webServers = [
    Recipe(name: "nginx", needs: ["nginx"], package: "nginx"),
    Recipe(name: "haproxy", needs: ["haproxy"], package: "haproxy"),
    Recipe(name: "lighttpd", needs: ["lighttpd"], package: "lighttpd"),
    // Its master looks after its workers once a second.
    Recipe(name: "apache", needs: ["apache2"], package: "apache2-bin", restarts: 5),
    Recipe(
      name: "busybox-httpd", needs: ["busybox"], package: "busybox-static", accepted: .mayBreak),
  ]

  private static let runtimes = [
    Recipe(
      name: "php-fpm", needs: [fpm], package: "php-fpm", probe: .ping, versions: ["php-fpm8.2": fpm]),
    Recipe(name: "node", needs: ["node"], package: "nodejs"),
    Recipe(name: "node-unchanged", needs: ["node"], package: "nodejs", accepted: .mayBreak),
    Recipe(name: "node-cluster", needs: ["node"], package: "nodejs", accepted: .mayBreak),
    // It compiles at each start.
    Recipe(
      name: "java", needs: ["java", "javac"], package: "default-jdk-headless", accepted: .mayBreak,
      restarts: 5),
    Recipe(name: "puma", needs: ["puma"], package: "puma", accepted: .mayBreak),
  ]

  private static let stores = [
    Recipe(
      name: "redis", needs: ["redis-server"], package: "redis-server",
      probe: RequestLoad.Probe(question: "PING\r\n", answer: "+PONG"), accepted: .mayBreak),
    Recipe(
      name: "memcached", needs: ["memcached"], package: "memcached",
      probe: RequestLoad.Probe(question: "version\r\n", answer: "VERSION"), accepted: .mayBreak),
    // Whether it speaks TLS: no.
    Recipe(
      name: "postgresql", needs: [postgres + "/postgres", postgres + "/initdb"], package: "postgresql",
      probe: RequestLoad.Probe(question: #"\0\0\0\x08\x04\xd2\x16\x2f"#, answer: "N"), accepted: .mayBreak,
      versions: ["/usr/lib/postgresql/15/bin": postgres], prepare: makeCluster),
  ]

  private static let perConnection = [
    Recipe(
      name: "sshd", needs: ["/usr/sbin/sshd", "ssh-keygen"], package: "openssh-server", probe: .ssh,
      accepted: .mayBreak, prepare: makeHostKey),
    Recipe(
      name: "sshd-inetd", needs: ["/usr/sbin/sshd", "ssh-keygen"], package: "openssh-server", probe: .ssh,
      prepare: makeHostKey),
    Recipe(
      name: "git-daemon", needs: ["git"], package: "git",
      probe: RequestLoad.Probe(
        question: #"003bgit-upload-pack /project.git\0host=localhost\0\0version=2\0"#,
        answer: #"000eversion 2\n"#),
      prepare: { try run("git", "init", "--quiet", "--bare", $0.path("project.git")) }),
    Recipe(
      name: "rsync", needs: ["rsync"], package: "rsync",
      probe: RequestLoad.Probe(question: #"@RSYNCD: 31.0\n"#, answer: "@RSYNCD:")),
    Recipe(name: "busybox-httpd-inetd", needs: ["busybox"], package: "busybox-static"),
  ]

  private static let fpm = newest("/usr/sbin/php-fpm*.*") ?? "/usr/sbin/php-fpm8.2"
  private static let postgres = newest("/usr/lib/postgresql/*/bin") ?? "/usr/lib/postgresql/15/bin"

  /// Whoever is root needs a user for it.
  private static func makeCluster(_ world: World) throws {
    let data = world.path("data")
    let make = [postgres + "/initdb", "--pgdata", data, "--auth=trust", "--no-sync"]
    guard geteuid() == 0 else { return try run(make) }
    try run("install", "--directory", "--mode=0700", "--owner=postgres", data)
    try run(["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] + make)
  }

  private static func makeHostKey(_ world: World) throws {
    try run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", world.path("host_key"))
    // Made at boot where it is a service of systemd.
    if geteuid() == 0 { mkdir("/run/sshd", 0o755) }
  }

  private static func run(_ words: String...) throws { try run(words) }

  private static func run(_ words: [String]) throws {
    #expect(try Spawned("/usr/bin/env", words).status() == 0, "\(words)")
  }
}

extension RequestLoad.Probe {
  fileprivate static let ssh = RequestLoad.Probe(question: #"SSH-2.0-probe\r\n"#, answer: "SSH-2.0-")

  /// FastCGI: the start of a request, its parameters, their end, and an empty body; answered on its standard output.
  fileprivate static let ping = RequestLoad.Probe(
    question: #"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0"#
      + #"\x01\x04\0\x01\0\x3b\0\0\x0b\x05SCRIPT_NAME/ping\x0f\x05SCRIPT_FILENAME/ping"#
      + #"\x0e\x03REQUEST_METHODGET\x01\x04\0\x01\0\0\0\0\x01\x05\0\x01\0\0\0\0"#,
    answer: #"\x01\x06\0\x01"#)
}
