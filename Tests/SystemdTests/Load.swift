// Clients in a closed loop inside the box, beside whatever the test does meanwhile.

import FoundationEssentials
import Supervisor
import Testing

/// What the fixture `loader` counted.
struct LoadResult: Decodable {
  var requests: Int
  var answered: Int
  var refused: Int
  var reset: Int
  var empty: Int
  var timedOut: Int
  var other: Int
  /// The longest that one request took.
  var stall: Double

  enum CodingKeys: String, CodingKey {
    case requests, answered, refused, reset, empty, other
    case timedOut = "timed_out"
    case stall = "stall_ms"
  }

  /// Nobody was refused, and whoever was let in got the whole answer.
  var isFlawless: Bool { requests > 0 && answered == requests }
}

/// A unit of its own that runs the loader.
struct Load {
  private let box: Box
  private let unit: String
  private var results: String { "/run/\(unit).json" }

  /// - Parameter address: IP:PORT, or the path of a Unix socket.
  init(on address: String, in box: Box, clients: Int = 4) throws {
    self.box = box
    unit = "load-\(UInt32.random(in: 0...UInt32.max))"
    try box.run(
      "systemd-run", "--quiet", "--collect", "--unit", unit, "--property",
      "StandardOutput=file:/run/\(unit).json",
      Box.program("loader"), address, "\(clients)")
    // It is to be under way before anything happens; nothing tells of the first answer.
    Clock.pause(.milliseconds(100))
  }

  func end() throws -> LoadResult {
    try box.run("systemctl", "stop", unit)
    return try JSONDecoder().decode(LoadResult.self, from: Data(box.text(of: results).utf8))
  }
}
