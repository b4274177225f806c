import SupervisorDaemon
import Testing

@Suite("A line to Einhorn") struct EinhornMessageTests {
  @Test(
    "acknowledges in JSON, and in YAML as Einhorn's own client writes it",
    arguments: [
      #"{"command":"worker:ack","pid":5}"#, #"{"pid": 5, "command": "worker:ack"}"#,
      "---%0Acommand: worker:ack%0Apid: 5%0A", "---%0A:command: worker:ack%0A:pid: 5%0A",
      "--- %0A\"command\": 'worker:ack'%0A",
    ])
  func acknowledges(line: String) { #expect(EinhornMessage.isAcknowledgement(line.utf8)) }

  @Test(
    "that says something else does not",
    arguments: [
      "", "READY=1", #"{"command":"ehlo","user":"worker:ack"}"#, #"{"commands":"worker:ack"}"#, "worker:ack",
      #"{"command":"worker:ack2"}"#, ":::", "%0A%0A",
    ])
  func acknowledgesNot(line: String) { #expect(!EinhornMessage.isAcknowledgement(line.utf8)) }
}
