import Supervisor
import Testing

@Suite("The table of every port") struct ListenersTextTests {
  private func holder(
    _ pid: Int32, _ address: String, _ command: String, age: Double = 60, fd: Int32 = 3, unit: String = "",
    terminal: String = "", service: String? = nil
  ) -> HolderRecord {
    HolderRecord(
      pid: pid, fd: fd, command: command, user: "www-data", unit: unit, terminal: terminal, age: age,
      address: address, inode: 1, service: service, generation: service == nil ? nil : 3)
  }

  private func lines(_ holders: [HolderRecord], width: Int? = nil) -> [String] {
    ListenersText.lines(HoldersReply(address: "", holders: holders, remarks: ["so much"]), width: width)
  }

  @Test("has a line for each address and kind of process; the oldest stands for its workers")
  func folding() {
    let holders = [
      holder(11, "0.0.0.0:80", "nginx: worker", age: 50), holder(10, "0.0.0.0:80", "nginx: master", age: 60),
      holder(12, "0.0.0.0:80", "nginx: worker", age: 55, unit: "nginx.service"),
      holder(12, "0.0.0.0:80", "nginx: worker", age: 55, fd: 9),
      holder(20, "udp:127.0.0.1:5353", "avahi\u{1b}", terminal: "pts/3"),
      holder(30, "[::]:8000", "flask run", unit: "session-3.scope", terminal: "pts/3", service: "app"),
    ]
    #expect(
      lines(holders) == [
        "PROTO  ADDRESS         PID  USER      AGE      FROM           COMMAND",
        "tcp    0.0.0.0:80      12   www-data  55 s     nginx.service  nginx: worker +1 worker",
        "tcp    0.0.0.0:80      10   www-data  1 m 0 s  -              nginx: master",
        "udp    127.0.0.1:5353  20   www-data  1 m 0 s  pts/3          avahi\\x1b",
        "tcp    [::]:8000       30   www-data  1 m 0 s  app #3         flask run",
        "so much",
      ])
  }

  @Test("fits on a terminal of 80 columns, workers included; in a pipe a command is longer")
  func width() {
    let long = String(repeating: "x", count: 300)
    let holders = (1...4).map { holder($0, "127.0.0.1:65535", long) }
    let cut = lines(holders, width: 80)
    #expect(cut[1].count == 80 && cut[1].hasSuffix("… +3 workers"))
    #expect(lines(holders)[1].count > 160)
    #expect(lines(holders, width: 10)[1].hasSuffix("… +3 workers"))
  }
}
