// What clients notice of a daemon that is restarted, killed or stuck, when it opened its sockets itself: nothing.

import Supervisor
import Testing

extension UnderSystemd {
  @Suite("the descriptor store") struct Store {
    let address = Sample.address()
    let path = "/run/store-\(UInt32.random(in: 0...UInt32.max)).sock"

    private func instance(dropIn: String = "") throws -> Instance {
      try Instance(
        Sample.socket("web", "[\"\(address)\", \"unix:\(path)\"]") + Sample.service(), in: Box.shared,
        dropIn: dropIn)
    }

    /// Nobody is refused, and nobody misses an answer, while it happens three times.
    private func expectUnnoticed(_ daemon: Instance, _ what: (Instance) throws -> Void) throws {
      let loads = try [address, path].map { try Load(on: $0, in: daemon.box, clients: 2) }
      for _ in 0..<3 { try what(daemon) }
      for load in loads {
        let result = try load.end()
        #expect(result.isFlawless, "\(result)\n\(daemon.log)")
      }
    }

    @Test("keeps listeners open while the daemon is restarted")
    func restart() throws {
      let daemon = try instance()
      try daemon.start()
      try expectUnnoticed(daemon) { try $0.systemctl("restart") }
    }

    @Test("keeps listeners open when the daemon is killed")
    func killed() throws {
      let daemon = try instance()
      try daemon.start()
      let inode = try daemon.listening(at: [address])
      try expectUnnoticed(daemon) { daemon in
        let pid = try daemon.pid
        try daemon.signal("SIGKILL")
        try daemon.awaitSuccessor(of: pid)
      }
      #expect(try daemon.listening(at: [address]) == inode)
    }

    @Test("has nothing that the configuration does not name")
    func forgotten() throws {
      let daemon = try instance()
      try daemon.start()
      #expect(try daemon.box.property("NFileDescriptorStore", of: daemon.unit) == "2")
      try daemon.configure(Sample.socket("web", "\"\(address)\"") + Sample.service())
      try daemon.systemctl("restart")
      try eventually("one listener in the store") {
        try daemon.box.property("NFileDescriptorStore", of: daemon.unit) == "1" ? true : nil
      }
      #expect(try Load(on: path, in: daemon.box, clients: 1).end().refused > 0)
    }

    @Test("keeps listeners open while a stuck daemon is replaced, for whom the watchdog barked")
    func stuck() throws {
      let daemon = try instance(dropIn: "WatchdogSec=1s\nTimeoutAbortSec=1s\nLimitCORE=0")
      try daemon.start()
      let load = try Load(on: address, in: daemon.box, clients: 2)
      let pid = try daemon.pid
      try daemon.signal("SIGSTOP")
      try daemon.awaitSuccessor(of: pid)
      let result = try load.end()
      #expect(result.isFlawless, "\(result)\n\(daemon.log)")
      #expect(try daemon.journal().contains("Watchdog timeout"))
      // And one that turns is left alone.
      let successor = try daemon.pid
      Clock.pause(.milliseconds(2500))
      #expect(try daemon.pid == successor)
    }
  }

  @Suite("what the daemon tells systemd") struct Told {
    @Test("is ready once its services are, and has a line for systemctl status")
    func ready() throws {
      let address = Sample.address()
      let daemon = try Instance(
        Sample.socket("web", "\"\(address)\"") + Sample.service()
          + "[service.broken]\ncommand = [\"\(Box.service)\", \"exit=3\"]\nrestart = \"never\"\n",
        in: Box.shared)
      try daemon.start()
      #expect(try daemon.status().state == .running)
      // Executed, and therefore ready for a moment, is the broken one, too.
      try eventually("a line that names what is broken") {
        let line = try daemon.box.property("StatusText", of: daemon.unit)
        return line.contains("1 of 2") && line.contains("broken") ? true : nil
      }
    }
  }
}
