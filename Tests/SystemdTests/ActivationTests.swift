// Sockets from .socket units: which is which, and what becomes of the others.

import Supervisor
import Testing

extension UnderSystemd {
  @Suite("sockets of .socket units") struct Activation {
    @Test(
      "are taken over: several of one name, TCP, UDP and Unix; a missing one is opened, a strange one is named"
    )
    func takenOver() throws {
      let (first, second, udp) = (Sample.address(), Sample.address(), Sample.address())
      let (own, strange) = (Sample.address(), Sample.address())
      let path = "/run/activation-\(UInt32.random(in: 0...UInt32.max)).sock"
      let daemon = try Instance(
        Sample.socket("web", "[\"\(first)\", \"\(second)\"]") + Sample.socket("own", "\"\(own)\"")
          + Sample.socket("local", "\"unix:\(path)\"") + Sample.socket("names", "\"udp:\(udp)\"")
          + Sample.service(sockets: "\"web\", \"own\", \"local\", \"names\""),
        in: Box.shared,
        sockets: [
          "web": "FileDescriptorName=web\nListenStream=\(first)\nListenStream=\(second)",
          "other": "FileDescriptorName=other\nListenStream=\(path)\nListenDatagram=\(udp)",
          "strange": "FileDescriptorName=strange\nListenStream=\(strange)",
        ])
      let inodes = try daemon.listening(at: [first, second])
      try daemon.start()
      #expect(try daemon.listening(at: [first, second]) == inodes)
      for address in [first, second, own, path] {
        let load = try Load(on: address, in: daemon.box, clients: 1)
        #expect(try load.end().isFlawless, "\(address)")
      }
      #expect(Set(try daemon.sockets().map(\.name)) == ["web", "own", "local", "names"])
      let journal = try daemon.journal()
      #expect(journal.contains("strange") && journal.contains(strange), "\(journal)")
      try daemon.systemctl("stop")
      #expect(daemon.box.exists(path), "systemd's own path was removed")
    }

    @Test("refuse nobody while the daemon is restarted")
    func restart() throws {
      let (address, path) = (Sample.address(), "/run/restart-\(UInt32.random(in: 0...UInt32.max)).sock")
      let daemon = try Instance(
        Sample.socket("web", "[\"\(address)\", \"unix:\(path)\"]") + Sample.service(), in: Box.shared,
        sockets: ["web": "FileDescriptorName=web\nListenStream=\(address)\nListenStream=\(path)"])
      try daemon.start()
      let loads = try [address, path].map { try Load(on: $0, in: daemon.box, clients: 2) }
      for _ in 0..<3 { try daemon.systemctl("restart") }
      for load in loads {
        let result = try load.end()
        #expect(result.isFlawless, "\(result)\n\(daemon.log)")
      }
    }
  }
}

extension Instance {
  /// The inodes of the TCP listeners at these addresses, ss(8), in their order; whoever has them.
  func listening(at addresses: [String]) throws -> [String] {
    let lines = try box.run("ss", "-H", "-l", "-t", "-n", "-e").split(separator: "\n")
    return try addresses.map { address in
      let line = try #require(lines.first { $0.split(separator: " ").contains(Substring(address)) })
      return String(try #require(line.split(separator: " ").first { $0.hasPrefix("ino:") }))
    }
  }
}
