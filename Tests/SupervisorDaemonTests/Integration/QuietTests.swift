import FoundationEssentials
import Glibc
import Supervisor
import Testing

@Suite("A daemon", .timeLimit(.minutes(5))) struct QuietTests {
  private let world: World

  init() throws { world = try World() }

  /// How often the process got a processor, /proc/PID/schedstat (proc(5)): any system call and any wake-up needs one.
  private func slices(_ pids: [Int32]) throws -> [String] {
    try pids.map { pid in
      let bytes = try #require(contents(ofSmallFile: "/proc/\(pid)/schedstat"))
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  @Test(
    "with twenty services that run, and its keepers, makes no system call in two seconds, and has one thread")
  func idle() throws {
    let names = (0..<20).map { "s\($0)" }
    try world.start(
      names.map {
        "[socket.\($0)]\nlisten = \"\(World.address())\"\n"
          + "[service.\($0)]\ncommand = [\"sleep\", \"50\"]\nsockets = [\"\($0)\"]\n"
      }.joined(), running: names)
    let keepers = try world.call(.tree, ServiceSelection(names: [], all: true), as: TreeReply.self).trees
      .compactMap(\.keeper)
    #expect(keepers.count == 20)
    let daemon = try #require(world.daemon).pid
    let status = String(decoding: contents(ofSmallFile: "/proc/\(daemon)/status") ?? [], as: UTF8.self)
    #expect(status.contains("\nThreads:\t1\n"))
    // What follows the start and the calls above comes to its end first.
    try eventually("two quiet seconds") {
      let before = try slices([daemon] + keepers)
      Clock.pause(.seconds(2))
      return try slices([daemon] + keepers) == before ? true : nil
    }
  }

  @Test("is quiet beside what it took over, and so was the keeper while there was no daemon")
  func takenOver() throws {
    let configuration = "[service.app]\ncommand = [\"sleep\", \"50\"]\nsurvive = true\n"
    try world.start(configuration, running: ["app"])
    let trees = try world.call(.tree, ServiceSelection(names: ["app"]), as: TreeReply.self).trees
    let keeper = try #require(trees.first?.keeper)
    func expectQuiet(_ pids: [Int32]) throws {
      try eventually("a quiet second") {
        let before = try slices(pids)
        Clock.pause(.seconds(1))
        return try slices(pids) == before ? true : nil
      }
    }
    world.end = .own
    try #require(world.daemon).send(SIGKILL)
    try expectQuiet([keeper])
    world.end = .clean
    try world.start(configuration)
    #expect(try world.status().generation == 1)
    try expectQuiet([try #require(world.daemon).pid, keeper])
  }

  private struct Footprint {
    var generation: Int
    var descriptors: Int
    var memory: Int
  }

  private func footprint() throws -> Footprint {
    let daemon = try #require(world.daemon).pid
    let generation = try world.status().generation
    let status = String(decoding: contents(ofSmallFile: "/proc/\(daemon)/status") ?? [], as: UTF8.self)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    let words = try #require(line).split { $0 == " " || $0 == "\t" }
    return Footprint(
      generation: generation, descriptors: try world.descriptors, memory: try #require(Int(words[1])))
  }

  @Test("loses no descriptor, leaves no zombie and grows by less than 2 MiB over a thousand launches")
  func manyLaunches() throws {
    let launches = environmentValue("FDSUPERVISOR_LAUNCHES").flatMap { Int($0) } ?? 1000
    try world.start(
      """
      [daemon]
      log_level = "error"
      [socket.web]
      listen = "\(World.address())"
      [service.app]
      command = ["/bin/true"]
      sockets = ["web"]
      log = "none"
      backoff = { initial = "1ms", max = "1ms", jitter = 0.0 }
      start_limit = { burst = 1000000, interval = "1d" }
      """)
    let begin = try eventually("it is warm") {
      try world.status().generation > launches / 4 ? footprint() : nil
    }
    let end = try eventually("\(launches) launches", within: .seconds(180)) {
      try world.status().generation >= launches ? footprint() : nil
    }
    #expect(end.memory - begin.memory < 2048, "\(begin) \(end)")
    #expect(try world.operate(.stop).ok)
    let daemon = try #require(world.daemon).pid
    #expect(ProcessTable.children(of: daemon) == [])
    try eventually("no more descriptors than before") {
      try world.descriptors <= begin.descriptors ? true : nil
    }
  }
}
