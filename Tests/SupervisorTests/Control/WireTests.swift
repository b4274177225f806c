import Supervisor
import Testing

@Suite("The wire") struct WireTests {
  @Test("a message that comes byte by byte is whole when its NUL comes")
  func bytewise() throws {
    var splitter = MessageSplitter(limit: 100)
    for byte in "{\"a\":1}".utf8 {
      splitter.append([byte])
      #expect(try splitter.next() == nil)
      #expect(splitter.isInMessage)
    }
    splitter.append([0])
    #expect(try splitter.next() == Array("{\"a\":1}".utf8))
    #expect(try splitter.next() == nil)
    #expect(!splitter.isInMessage)
  }

  @Test("messages that come together are split, the last half waits")
  func together() throws {
    var splitter = MessageSplitter(limit: 100)
    splitter.append(Array("one\0two\0thr".utf8))
    #expect(try splitter.next() == Array("one".utf8))
    #expect(try splitter.next() == Array("two".utf8))
    #expect(try splitter.next() == nil)
    #expect(splitter.isInMessage)
    splitter.append(Array("ee\0".utf8))
    #expect(try splitter.next() == Array("three".utf8))
    #expect(!splitter.isInMessage)
  }

  @Test("a message that is too long is refused, with and without its end")
  func tooLong() {
    for end in [[], [UInt8(0)]] {
      var splitter = MessageSplitter(limit: 10)
      splitter.append([UInt8](repeating: 65, count: 11) + end)
      #expect(throws: WireError.tooLong(limit: 10)) { try splitter.next() }
    }
  }

  @Test("a message of exactly the limit is taken")
  func limit() throws {
    var splitter = MessageSplitter(limit: 10)
    splitter.append([UInt8](repeating: 65, count: 10) + [0])
    #expect(try splitter.next()?.count == 10)
  }

  @Test("the members of an object are found, whatever they contain")
  func members() throws {
    let text =
      #" { "method" : "a.b" , "more":true, "parameters": {"x":["}","\"",{"y":2}]}, "e\"":"\u0041" } "#
    let object = try #require(JSONObject(Array(text.utf8)))
    #expect(object.string("method") == "a.b")
    #expect(object.flag("more"))
    #expect(!object.flag("oneway"))
    #expect(object["parameters"].map { String(decoding: $0, as: UTF8.self) } == #"{"x":["}","\"",{"y":2}]}"#)
    #expect(object.string("parameters") == nil)
    #expect(JSONObject(Array(#"{"method":"\u0041b"}"#.utf8))?.string("method") == "Ab")
    #expect(JSONObject(Array("{}".utf8)) != nil)
  }

  @Test(
    "what is no object is refused",
    arguments: [
      "", " ", "null", "[]", "1", "\"a\"", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":1}x",
      "{\"a\":[}", "{\"a\":[1}]}", "{\"a\":\"", "{\"a\":\"\\", "{a:1}", "{\"a\":1 \"b\":2}", "{,}",
      "{\"a\":{\"b\"]}",
    ])
  func notAnObject(_ text: String) {
    #expect(JSONObject(Array(text.utf8)) == nil)
  }

  @Test("nesting is allowed to the limit and refused beyond it")
  func depth() {
    func nested(_ levels: Int) -> [UInt8] {
      let inner = levels - 1
      return Array("{\"a\":".utf8) + [UInt8](repeating: 91, count: inner)
        + [UInt8](repeating: 93, count: inner)
        + Array("}".utf8)
    }
    #expect(JSONObject(nested(JSONObject.deepest)) != nil)
    #expect(JSONObject(nested(JSONObject.deepest + 1)) == nil)
    #expect(JSONObject(Array("{\"a\":".utf8) + [UInt8](repeating: 91, count: 60_000)) == nil)
  }

  @Test("a reply and a call read as Varlink wants them")
  func framing() {
    #expect(
      Wire.call("a.B", parameters: Array("{}".utf8)) == Array("{\"method\":\"a.B\",\"parameters\":{}}\0".utf8)
    )
    #expect(
      Wire.call("a.B", parameters: Array("{}".utf8), more: true)
        == Array("{\"method\":\"a.B\",\"parameters\":{},\"more\":true}\0".utf8))
    #expect(
      Wire.reply(Array("{}".utf8), continues: true) == Array("{\"parameters\":{},\"continues\":true}\0".utf8))
  }

  @Test("a selection that is written by hand is what the encoder writes")
  func selection() throws {
    let names = ["app", "a\"b\\c", "\u{1}\u{1f}\u{7f}", "täst-❤️", ""]
    for selection in [
      ServiceSelection(names: names), ServiceSelection(names: [], all: true),
      ServiceSelection(names: ["a"], all: false),
    ] {
      let read = try Wire.decode(ServiceSelection.self, from: selection.json)
      #expect(read == selection)
      #expect(try selection.json == Wire.encode(selection))
    }
  }

  @Test("a wrong parameter is named")
  func wrongParameter() {
    #expect(throws: WireError.unexpected(member: "names")) {
      try Wire.decode(ServiceSelection.self, from: Array("{}".utf8))
    }
    #expect(throws: WireError.unexpected(member: "timeout")) {
      try Wire.decode(WaitParameters.self, from: Array("{\"names\":[],\"timeout\":\"x\"}".utf8))
    }
  }

  @Test("the control path comes from the environment, the user, and the runtime folder, in this order")
  func controlPath() {
    func path(_ uid: UInt32, _ environment: [String: String]) -> String? {
      ControlPath.standard(uid: uid) { environment[$0] }
    }
    #expect(path(0, ["FDSUPERVISORD_CONTROL": "/x", "XDG_RUNTIME_DIR": "/r"]) == "/x")
    #expect(
      path(0, ["FDSUPERVISORD_CONTROL": "", "XDG_RUNTIME_DIR": "/r"]) == "/run/fdsupervisord/control.sock")
    #expect(path(1000, ["XDG_RUNTIME_DIR": "/r"]) == "/r/fdsupervisord/control.sock")
    #expect(path(1000, [:]) == nil)
  }

  @Test("times are read as people write them")
  func durations() {
    #expect(DurationText.milliseconds("60s") == 60_000)
    #expect(DurationText.milliseconds("1m30s") == 90_000)
    #expect(DurationText.milliseconds("250ms") == 250)
    #expect(DurationText.milliseconds("5") == 5000)
    for bad in ["", "x", "5x", "s", "-1s", "1s2", "99999999999999999999s", "9999999999d"] {
      #expect(DurationText.milliseconds(bad) == nil, "\(bad)")
    }
  }
}
