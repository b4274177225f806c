// Findings about [socket.NAME], addresses and placeholders, as they are printed.

import SupervisorDaemon
import Testing

@Suite("Diagnostics of sockets", .timeLimit(.minutes(5)))
struct SocketDiagnosticTests {
  @Test("name the place, the reason and the remedy", arguments: options + addresses + placeholders)
  func golden(_ golden: Golden) throws {
    #expect(try findings(in: golden.text) == golden.findings)
  }

  static let options = [
    Golden(socket: "backlog = 0", "11: error: 0 is outside 1…65535\nbacklog = 0\n          ^"),
    Golden(
      socket: "backlgo = 1",
      "1: error: unknown key 'backlgo' in [socket.web]; did you mean 'backlog'?\nbacklgo = 1\n^~~~~~~"),
    Golden(
      socket: "mode = \"0660\"",
      "1: error: 'mode' is for Unix paths only; [socket.web] listens on none\nmode = \"0660\"\n^~~~"),
    Golden(
      socket: "no_delay = true", listen: "unix:/run/x.sock",
      "1: error: 'no_delay' is for TCP only; [socket.web] listens on none\nno_delay = true\n^~~~~~~~"),
    Golden(
      socket: "v6_only = true", listen: "127.0.0.1:80",
      "1: error: 'v6_only' is for IPv6 addresses only; [socket.web] listens on none\nv6_only = true\n^~~~~~~"),
    Golden(
      socket: "defer_accept = \"1500ms\"",
      "16: error: only whole seconds are possible here\ndefer_accept = \"1500ms\"\n               ^~~~~~~~"),
    Golden(
      socket: "bind_to_device = \"a/b\"",
      "18: error: this is no name of a network device\nbind_to_device = \"a/b\"\n                 ^~~~~"),
    Golden(socket: "mark = -1", "8: error: -1 is outside 0…4294967295\nmark = -1\n       ^~"),
    Golden(
      socket: "receive_buffer = true",
      "18: error: expected a size such as \"64KiB\", found a boolean\nreceive_buffer = true\n                 ^~~~"
    ),
  ]

  static let addresses = [
    Golden(
      "no address", "[socket.web]\nbacklog = 5\n",
      "c.toml:1:9: error: [socket.web] has no 'listen'; write listen = \"127.0.0.1:8000\"\n[socket.web]\n        ^~~\n"
        + unused("web", 1)),
    Golden(
      "no address in the list", "[socket.web]\nlisten = []\n",
      "\(unused("web", 1))\nc.toml:2:10: error: the list is empty\nlisten = []\n         ^~"),
    Golden(
      "a port that is none", "[socket.web]\nlisten = [\"0\", \"65536\"]\n",
      "\(unused("web", 1))\nc.toml:2:11: error: invalid address '0': port 0 is outside 1…65535\n"
        + "listen = [\"0\", \"65536\"]\n          ^~~\n"
        + "c.toml:2:16: error: invalid address '65536': port 65536 is outside 1…65535\n"
        + "listen = [\"0\", \"65536\"]\n               ^~~~~~~"),
    Golden(
      "an integer", "[socket.web]\nlisten = 8000\n",
      "\(unused("web", 1))\nc.toml:2:10: error: expected a string, found an integer; write \"8000\"\n"
        + "listen = 8000\n         ^~~~"),
    Golden(
      "one address in two sockets",
      "[socket.a]\nlisten = \"127.0.0.1:80\"\n[socket.b]\nlisten = [\"81\", \"127.0.0.1:80\"]\n"
        + users("a", "b"),
      "c.toml:4:17: error: 127.0.0.1:80 is already an address of [socket.a] at c.toml:2:10\n"
        + "listen = [\"81\", \"127.0.0.1:80\"]\n                ^~~~~~~~~~~~~~"),
    Golden(
      "one address twice in a socket", "[socket.a]\nlisten = [\"unix:/x\", \"unix:/x\"]\n" + users("a"),
      "c.toml:2:22: error: unix:/x is already an address of [socket.a] at c.toml:2:11\n"
        + "listen = [\"unix:/x\", \"unix:/x\"]\n                     ^~~~~~~~~"),
    Golden(
      "a wildcard over an address",
      "[socket.a]\nlisten = \"127.0.0.1:80\"\n[socket.b]\nlisten = \"80\"\n" + users("a", "b"),
      "c.toml:4:10: error: [::]:80 overlaps 127.0.0.1:80, an address of [socket.a] at c.toml:2:10\n"
        + "listen = \"80\"\n         ^~~~"),
    Golden(
      "both wildcards", "[socket.a]\nlisten = [\"0.0.0.0:80\", \"[::]:80\"]\n" + users("a"),
      "c.toml:2:25: error: [::]:80 overlaps 0.0.0.0:80, an address of [socket.a] at c.toml:2:11; "
        + "v6_only = true keeps [::] from covering IPv4\n"
        + "listen = [\"0.0.0.0:80\", \"[::]:80\"]\n                        ^~~~~~~~~"),
    Golden(
      "a guarded port that is owned",
      "[socket.a]\nlisten = \"80\"\n" + users("a") + "ports = [\"127.0.0.1:80\"]\n",
      "c.toml:6:10: error: 127.0.0.1:80 overlaps [::]:80, an address of [socket.a] at c.toml:2:10\n"
        + "ports = [\"127.0.0.1:80\"]\n         ^~~~~~~~~~~~~~"),
    Golden(
      "a guarded port in two services",
      "[service.a]\ncommand = \"x\"\nports = [\"90\"]\n[service.b]\ncommand = \"x\"\nports = [\"90\"]\n",
      "c.toml:6:10: error: [::]:90 is already a guarded port of [service.a] at c.toml:3:10\n"
        + "ports = [\"90\"]\n         ^~~~"),
    Golden("an unused socket", "[socket.web]\nlisten = \"80\"\n", unused("web", 1)),
  ]

  static let placeholders = [
    placeholder(
      "{port:wbe}", "error: {port:wbe}: unknown socket 'wbe'; did you mean 'web'?", mark: "^~~~~~~~~~"),
    placeholder("{fd:}", "error: {fd:}: unknown socket ''", mark: "^~~~~"),
    placeholder(
      "{fd:other}",
      "error: {fd:other}: the service is not given this socket; add it to 'sockets' of [service.app]",
      mark: "^~~~~~~~~~"),
    placeholder(
      "{port:other}", "error: {port:other}: the socket has no port, it listens on unix:/o",
      mark: "^~~~~~~~~~~~"),
  ]

  private static func placeholder(_ text: String, _ finding: String, mark: String) -> Golden {
    Golden(
      text,
      """
      [socket]
      web.listen = "80"
      other.listen = "unix:/o"
      [service.other]
      command = "x"
      sockets = ["other"]
      [service.app]
      command = ["x", "{} {fd:web} {address:other}"]
      sockets = ["web"]
      environment.X = "a=\(text);"
      """,
      """
      c.toml:10:20: \(finding)
      environment.X = "a=\(text);"
                         \(mark)
      """)
  }

  private static func unused(_ name: String, _ line: Int) -> String {
    "c.toml:\(line):9: warning: no service has the socket '\(name)'\n[socket.\(name)]\n"
      + "        ^" + String(repeating: "~", count: name.count - 1)
  }

  private static func users(_ names: String...) -> String {
    let list = names.map { "\"\($0)\"" }.joined(separator: ", ")
    return "[service.user]\ncommand = \"x\"\nsockets = [\(list)]\n"
  }

  @Test(
    "addresses that don't meet are accepted",
    arguments: [
      "listen = [\"0.0.0.0:80\", \"[::]:80\"]\nv6_only = true", "listen = [\"80\", \"udp:80\"]",
      "listen = [\"127.0.0.1:80\", \"127.0.0.2:80\", \"[::1]:80\"]", "listen = [\"unix:/a\", \"unix:@/a\"]",
    ])
  func disjoint(lines: String) throws {
    #expect(try findings(in: "[socket.a]\n" + lines + "\n" + Self.users("a")) == "")
  }

  @Test("one address on two devices is no conflict")
  func devices() throws {
    let text = """
      [socket]
      a = { listen = "80", bind_to_device = "eth0" }
      b = { listen = "80", bind_to_device = "eth1" }
      """
    #expect(try findings(in: text + "\n" + Self.users("a", "b")) == "")
  }

  @Test("services may share a socket")
  func shared() throws {
    let text = "[socket.a]\nlisten = \"80\"\n" + Self.users("a")
    #expect(try findings(in: text + "[service.second]\ncommand = \"x\"\nsockets = [\"a\"]\n") == "")
  }
}
