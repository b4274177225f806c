// Findings about the keys of [service.NAME], as they are printed.

import SupervisorDaemon
import Testing

@Suite("Diagnostics of services", .timeLimit(.minutes(5)))
struct ServiceDiagnosticTests {
  @Test("name the place, the reason and the remedy", arguments: types + values + watching + later + wholes)
  func golden(_ golden: Golden) throws {
    #expect(try findings(in: golden.text) == golden.findings)
  }

  static let types = [
    Golden(
      service: "directory = 1.5",
      "13: error: expected a string, found a float\ndirectory = 1.5\n            ^~~"),
    Golden(
      service: "autostart = \"yes\"",
      "13: error: expected true or false, found a string\nautostart = \"yes\"\n            ^~~~~"),
    Golden(
      service: "sockets = \"web\"",
      "11: error: expected an array, found a string\nsockets = \"web\"\n          ^~~~~"),
    Golden(
      service: "environment = { PORT = 8000 }",
      "24: error: expected a string, found an integer; write \"8000\"\n"
        + "environment = { PORT = 8000 }\n                       ^~~~"),
    Golden(
      service: "environment = { \"A=B\" = \"\" }",
      "17: error: invalid name 'A=B' of a variable\nenvironment = { \"A=B\" = \"\" }\n                ^~~~~"),
    Golden(
      service: "user = true",
      "8: error: expected a name or a number, found a boolean\nuser = true\n       ^~~~"),
    Golden(service: "group = -1", "9: error: -1 is outside 0…4294967294\ngroup = -1\n        ^~"),
    Golden(
      service: "stop_timeout = 07:32:00",
      "16: error: expected a time such as \"30s\", found a time of day\n"
        + "stop_timeout = 07:32:00\n               ^~~~~~~~"),
    Golden(
      service: "stop_timeout = 10",
      "16: error: expected a time, found an integer; write \"10s\" for seconds\nstop_timeout = 10\n               ^~"
    ),
  ]

  static let values = [
    Golden(service: "nice = 20", "8: error: 20 is outside -20…19\nnice = 20\n       ^~"),
    Golden(
      service: "oom_score_adjust = -1001",
      "20: error: -1001 is outside -1000…1000\noom_score_adjust = -1001\n                   ^~~~~"),
    Golden(
      service: "umask = 22", "9: error: 22 is not octal; write 0o22 or \"022\"\numask = 22\n        ^~"),
    Golden(
      service: "umask = \"0888\"",
      "9: error: expected permission bits from \"0000\" to \"0777\"\numask = \"0888\"\n        ^~~~~~"),
    Golden(
      service: "start_timeout = \"30 seconds\"",
      "17: error: '30 seconds' is no time; write it as \"250ms\", \"2s\", \"1m30s\", \"1h\" or \"1d\"\n"
        + "start_timeout = \"30 seconds\"\n                ^~~~~~~~~~~~"),
    Golden(
      service: "start_timeout = \"0s\"",
      "17: error: the time must be longer than 0\nstart_timeout = \"0s\"\n                ^~~~"),
    Golden(
      service: "stop_signal = \"SIGTREM\"",
      "15: error: unknown signal 'SIGTREM'; did you mean 'SIGTERM'?\nstop_signal = \"SIGTREM\"\n              ^~~~~~~~~"
    ),
    Golden(
      service: "reload_signal = 65",
      "17: error: 65 is no signal: they are 1…64\nreload_signal = 65\n                ^~"),
    Golden(
      service: "restart = \"on_failure\"",
      "11: error: unknown value 'on_failure'; did you mean 'on-failure'?\n"
        + "restart = \"on_failure\"\n          ^~~~~~~~~~~~"),
    Golden(
      service: "restart = \"sometimes\"",
      "11: error: unknown value 'sometimes'; use \"always\", \"on-failure\" or \"never\"\n"
        + "restart = \"sometimes\"\n          ^~~~~~~~~~~"),
    Golden(
      service: "backoff = { intial = \"1s\" }",
      "13: error: unknown key 'intial' in backoff; did you mean 'initial'?\n"
        + "backoff = { intial = \"1s\" }\n            ^~~~~~"),
    Golden(
      service: "backoff = { factor = 0.5 }",
      "22: error: expected a number of 1 or more, found 0.5\nbackoff = { factor = 0.5 }\n                     ^~~"
    ),
    Golden(
      service: "backoff = { jitter = nan }",
      "22: error: expected a number from 0 to 1, found nan\nbackoff = { jitter = nan }\n                     ^~~"
    ),
    Golden(
      service: "backoff = { max = \"10ms\" }",
      "11: error: 'initial' is longer than 'max'\nbackoff = { max = \"10ms\" }\n          ^~~~~~~~~~~~~~~~"),
    Golden(
      service: "start_limit.burst = 0",
      "21: error: 0 is outside 1…1000000\nstart_limit.burst = 0\n                    ^"),
    Golden(
      service: "limits = { nofiles = 1 }",
      "12: error: unknown key 'nofiles' in limits; did you mean 'nofile'?\n"
        + "limits = { nofiles = 1 }\n           ^~~~~~~"),
    Golden(
      service: "limits = { memory = 512 }",
      "21: error: 512 bytes are outside 1048576…9223372036854775807\n"
        + "limits = { memory = 512 }\n                    ^~~"),
    Golden(
      service: "limits = { tasks = 0 }",
      "20: error: 0 is outside 1…4194304\nlimits = { tasks = 0 }\n                   ^"),
    Golden(
      service: "limits = { cpu = 50 }",
      "18: error: expected a share of one processor such as \"50%\" or \"150%\", found an integer; "
        + "write \"50%\" for percent\nlimits = { cpu = 50 }\n                 ^~"),
    Golden(
      service: "limits = { cpu = \"0%\" }",
      "18: error: '0%' is no share of one processor such as \"50%\" or \"150%\", from \"1%\" up\n"
        + "limits = { cpu = \"0%\" }\n                 ^~~~"),
    Golden(
      service: "limits = { core = [2, 1] }",
      "19: error: the soft limit is greater than the hard limit\n"
        + "limits = { core = [2, 1] }\n                  ^~~~~~"),
    Golden(
      service: "limits = { core = [1] }",
      "19: error: expected [soft, hard], found 1 values\nlimits = { core = [1] }\n                  ^~~"),
    Golden(
      service: "limits = { core = -1 }",
      "19: error: a limit is 0 or more, or \"infinity\"\nlimits = { core = -1 }\n                  ^~"),
    Golden(
      service: "ambient_capabilities = [\"net_bind_servcie\"]",
      "25: error: unknown capability 'net_bind_servcie'; did you mean 'CAP_NET_BIND_SERVICE'?\n"
        + "ambient_capabilities = [\"net_bind_servcie\"]\n                        ^~~~~~~~~~~~~~~~~~"),
    Golden(
      service: "log = { file = \"a.log\", max_size = \"50MB\" }",
      "36: error: '50MB' is no size; write it as \"64KiB\", \"50MiB\", \"1GiB\" or in bytes\n"
        + "log = { file = \"a.log\", max_size = \"50MB\" }\n                                   ^~~~~~"),
    Golden(
      service: "log = { keep = 5 }",
      "7: error: the log has no 'file'; write log = { file = \"app.log\" }\nlog = { keep = 5 }\n      ^~~~~~~~~~~~"
    ),
    Golden(service: "directory = \"\"", "13: error: the string is empty\ndirectory = \"\"\n            ^~"),
    Golden(
      service: "readiness = \"listen\"",
      "13: error: readiness = \"listen\" waits for guarded ports, and 'ports' has none\n"
        + "readiness = \"listen\"\n            ^~~~~~~~"),
    Golden(
      service: "ports = [\"127.0.0.1\"]",
      "10: error: invalid address '127.0.0.1': expected ADDRESS:PORT, [IPV6]:PORT, a port, or unix:PATH\n"
        + "ports = [\"127.0.0.1\"]\n         ^~~~~~~~~~~"),
  ]

  static let watching = [
    Golden(
      service: "watch = [\"../a\"]",
      "10: error: the pattern has '.' or '..' in it; patterns go down from the folder that is watched, without them\n"
        + "watch = [\"../a\"]\n         ^~~~~~"),
    Golden(
      service: "watch = [\"/\"]",
      "10: error: the pattern matches nothing\nwatch = [\"/\"]\n         ^~~"),
    Golden(
      service: "watch = [\"#a\"]",
      "10: error: the pattern begins with '#', which is a comment; write '\\#'\n"
        + "watch = [\"#a\"]\n         ^~~~"),
    Golden(
      service: "watch_ignore = [\"a\"]",
      "17: error: 'watch_ignore' means nothing without 'watch'\nwatch_ignore = [\"a\"]\n                ^~~"),
  ]

  static let later = [
    Golden(service: "instances = 4", "1: error: 'instances' is not supported yet\ninstances = 4\n^~~~~~~~~"),
    Golden(
      service: "idle_stop = \"1m\"",
      "1: error: 'idle_stop' is not supported yet\nidle_stop = \"1m\"\n^~~~~~~~~"),
    Golden(
      service: "health = { tcp = \"80\" }",
      "1: error: 'health' is not supported yet\nhealth = { tcp = \"80\" }\n^~~~~~"),
    Golden(
      service: "watchdog = \"30s\"", "1: error: 'watchdog' is not supported yet\nwatchdog = \"30s\"\n^~~~~~~~"
    ),
    Golden(
      service: "stray_allow = [\"/bin/a\"]",
      "16: error: '/bin/a' is no name of a process: names have no '/', as in \"tmux*\"\n"
        + "stray_allow = [\"/bin/a\"]\n               ^~~~~~~~"),
    Golden(
      service: "start = \"on-demand\"",
      "9: error: \"on-demand\" is not supported yet; use \"eager\"\nstart = \"on-demand\"\n        ^~~~~~~~~~~"
    ),
    Golden(
      service: "restart_mode = \"overlap\"",
      "16: error: \"overlap\" is not supported yet; use \"replace\"\n"
        + "restart_mode = \"overlap\"\n               ^~~~~~~~~"),
    Golden(
      service: "strays = \"released\"",
      "10: error: unknown value 'released'; did you mean 'release'?\nstrays = \"released\"\n         ^~~~~~~~~~"
    ),
    Golden(
      service: "pass = \"stdin\"",
      "8: error: pass = \"stdin\" hands over sockets, and [service.app] has none; add 'sockets'\n"
        + "pass = \"stdin\"\n       ^~~~~~~"),
    Golden(
      service: "pass = \"ngnix\"",
      "8: error: unknown value 'ngnix'; did you mean 'nginx'?\npass = \"ngnix\"\n       ^~~~~~~"),
    Golden(
      service: "readiness = \"bind\"",
      "13: error: readiness = \"bind\" waits for its sockets, and 'sockets' has none\n"
        + "readiness = \"bind\"\n            ^~~~~~"),
    Golden(
      service: "readiness = { http = \"x\" }",
      "15: error: readiness by 'http' is not supported yet\nreadiness = { http = \"x\" }\n              ^~~~"),
  ]

  static let wholes = [
    Golden(
      "an undefined service",
      "[service.app]\ncommand = \"true\"\nafter = [\"bd\"]\n[service.db]\ncommand = \"true\"\n",
      "c.toml:3:10: error: unknown service 'bd'; did you mean 'db'?\nafter = [\"bd\"]\n         ^~~~"),
    Golden(
      "an undefined socket", "[service.app]\ncommand = \"true\"\nsockets = [\"web\"]\n",
      "c.toml:3:12: error: unknown socket 'web'; no [socket.web] is defined\nsockets = [\"web\"]\n           ^~~~~"
    ),
    Golden(
      "a cycle",
      "[service.a]\ncommand = \"x\"\nafter = [\"b\"]\n[service.b]\ncommand = \"x\"\nrequires = [\"a\"]\n",
      "c.toml:6:13: error: dependency cycle: a → b → a\nrequires = [\"a\"]\n            ^~~"),
    Golden(
      "a service that requires itself", "[service.a]\ncommand = \"x\"\nafter = [\"a\"]\nrequires = [\"a\"]\n",
      "c.toml:3:10: error: dependency cycle: a → a\nafter = [\"a\"]\n         ^~~"),
    Golden(
      "a name twice in a list",
      "[service.a]\ncommand = \"x\"\nsockets = [\"w\", \"w\"]\n[socket.w]\nlisten = \"80\"\n",
      "c.toml:3:17: error: 'w' is listed twice\nsockets = [\"w\", \"w\"]\n                ^~~"),
    Golden(
      "a name with a slash", "[service.\"a/b\"]\ncommand = \"x\"\n",
      "c.toml:1:10: error: invalid name 'a/b' of a service: '/' is not allowed, only letters, digits and . _ @ -\n"
        + "[service.\"a/b\"]\n         ^~~~~"),
    Golden(
      "a name with a line end", "[service.\"a\\nb\"]\ncommand = \"x\"\n",
      "c.toml:1:10: error: invalid name 'a\\nb' of a service: '\\n' is not allowed, only letters, digits and . _ @ -\n"
        + "[service.\"a\\nb\"]\n         ^~~~~~"),
    Golden(
      "a name that looks like an option", "[service.-a]\ncommand = \"x\"\n",
      "c.toml:1:10: error: invalid name '-a' of a service: it may not start with '-' or '.'\n[service.-a]\n         ^~"
    ),
    Golden(
      "an empty name", "[service.\"\"]\ncommand = \"x\"\n",
      "c.toml:1:10: error: invalid name '' of a service: it is empty\n[service.\"\"]\n         ^~"),
    Golden(
      "a long name", "[service.\(String(repeating: "x", count: 65))]\ncommand = \"x\"\n",
      "c.toml:1:10: error: invalid name '\(String(repeating: "x", count: 65))' of a service: "
        + "it has 65 characters, 64 are allowed\n[service.\(String(repeating: "x", count: 65))]\n"
        + "         ^\(String(repeating: "~", count: 64))"),
  ]

  @Test("a chain of thousands of services is no cycle and no crash")
  func longChain() throws {
    let count = 8000
    let text = (1...count).map { "[service.s\($0)]\ncommand = \"x\"\nafter = [\"s\($0 + 1)\"]\n" }.joined()
    #expect(try findings(in: text + "[service.s\(count + 1)]\ncommand = \"x\"\n") == "")
  }
}
