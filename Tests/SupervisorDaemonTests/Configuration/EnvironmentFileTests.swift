// environment_file: what it may say, and what is found in it.

import Supervisor
import SupervisorDaemon
import Testing

@Suite("An environment file", .timeLimit(.minutes(5)))
struct EnvironmentFileTests {
  private static let service = "[service.app]\ncommand = \"x\"\nenvironment_file = \"app.env\"\n"

  private func entries(_ text: String, rest: String = "") throws -> [String] {
    let folder = try ConfigurationFolder()
    try folder.write(Self.service + rest, to: "c.toml")
    try folder.write(text, to: "app.env")
    let service = try #require(try folder.configuration().services.first)
    return service.environment.map { "\($0.name)=\($0.value)" }
  }

  @Test("has assignments, comments and quotes")
  func syntax() throws {
    let text = """
      # a comment
      ; another

      A=1
        B = two words \t
      C="a \\"b\\" \\$c \\n"
      D='$x \\ "'
      E=a'b 'c
      F=
      G="two
      lines"
      H=on\\
      e
      I=a\\ b\\ \r
      J=x # y
      """
    let wanted = [
      "A=1", "B=two words", "C=a \"b\" $c \\n", "D=$x \\ \"", "E=ab c", "F=", "G=two\nlines", "H=one",
      "I=a b ",
      "J=x # y",
    ]
    #expect(try entries(text) == wanted)
  }

  @Test("comes before the keys of the configuration, which replace its values")
  func order() throws {
    let text = try entries("A=1\nB=2\nA=3\n", rest: "environment = { Z = \"z\", B = \"9\" }\n")
    #expect(text == ["A=3", "B=9", "Z=z"])
  }

  @Test("has findings at its own lines, after those of the configuration")
  func findings() throws {
    let folder = try ConfigurationFolder()
    try folder.write(Self.service + "nice = 99\n", to: "c.toml")
    try folder.write("A=1\nexport B=2\n1C=3\nnothing\nD={port:web}\nE='x\n", to: "app.env")
    #expect(
      folder.findings() == """
        c.toml:4:8: error: 99 is outside -20…19
        nice = 99
               ^~
        app.env:2:1: error: this is no shell script; leave out 'export'
        export B=2
        ^~~~~~~~
        app.env:3:1: error: invalid name '1C' of a variable
        1C=3
        ^~
        app.env:4:1: error: expected KEY=VALUE
        nothing
        ^~~~~~~
        app.env:5:1: error: {port:web}: unknown socket 'web'
        D={port:web}
        ^
        app.env:6:3: error: the quote is not closed
        E='x
          ^
        """)
  }

  @Test("that is missing is reported where it is named")
  func missing() throws {
    let folder = try ConfigurationFolder()
    try folder.write(Self.service, to: "c.toml")
    #expect(
      folder.findings() == """
        c.toml:3:20: error: cannot read app.env: No such file or directory
        environment_file = "app.env"
                           ^~~~~~~~~
        """)
  }
}
