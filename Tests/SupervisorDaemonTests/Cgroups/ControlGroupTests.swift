import CLinux
import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("A cgroup", .timeLimit(.minutes(5))) struct ControlGroupTests {
  private func sleeper(in group: ControlGroup) throws -> Spawned {
    try Spawned(
      "/bin/sh", ["-c", "echo 0 > \"$1\" && exec sleep 50", "sh", "\(group.path)/cgroup.procs"],
      care: .leashed)
  }

  @Test("is removed with what was made below it, and that is the proof that it is empty")
  func removal() throws {
    let own = try OwnCgroup()
    let group = own.group.child("a")
    try group.make()
    try group.make()
    try group.child("b").make()
    try group.child("b").child("c").make()
    let process = try sleeper(in: group.child("b").child("c"))
    try eventually("it is in") { group.members == [process.pid] ? true : nil }
    #expect(group.isPopulated)
    #expect(group.remove() == .populated)
    try group.kill()
    #expect(try process.status() == 128 + SIGKILL)
    #expect(group.awaitEmpty(until: Clock.now() + .seconds(20)))
    #expect(group.remove() == .removed)
    #expect(group.remove() == .removed)
    #expect(!group.isPopulated && group.members == [])
  }

  @Test("that is frozen is killed all the same")
  func frozen() throws {
    let own = try OwnCgroup()
    let group = own.group.child("a")
    try group.make()
    let process = try sleeper(in: group)
    try eventually("it is in") { group.isPopulated ? true : nil }
    try group.freeze()
    try group.kill()
    #expect(try process.status() == 128 + SIGKILL)
    #expect(!group.awaitEmpty(until: Clock.now()) || group.remove() == .removed)
  }

  @Test("says what can't be done to it")
  func refusals() throws {
    let own = try OwnCgroup()
    let group = own.group.child("none")
    #expect(throws: SystemError.self) { try group.kill() }
    #expect(throws: SystemError.self) { _ = try group.open() }
    #expect(throws: SystemError.self) { try own.group.child("a").child("b").make() }
    #expect(group.read("cgroup.events") == nil)
    #expect(!group.isPopulated)
  }

  @Test("belongs to one daemon at a time")
  func lock() throws {
    let own = try OwnCgroup()
    // In the leaf already: this process stays where it is.
    let first = CgroupTree(.unit(own.group, .leaf))
    #expect(first.isDelegated, "\(first.description)")
    let second = CgroupTree(.unit(own.group, .leaf))
    #expect(!second.isDelegated)
    #expect(second.description.contains("another daemon does"))
    withExtendedLifetime(first) {}
  }
}

/// A cgroup of a test's own, below the one that the test runs in; removed with its owner.
final class OwnCgroup {
  let group: ControlGroup

  /// Cancels the test, with a sentence, where no cgroup can be made.
  init() throws {
    group = ControlGroup(
      path: (Self.own ?? "/nonexistent") + "/fdsupervisord-test-\(UInt32.random(in: 0...UInt32.max))")
    let group = self.group
    if let problem = Self.problem({ () throws(SystemError) in try group.make() }) {
      try Test.cancel("no cgroup v2 can be made here: \(problem)")
    }
  }

  private static var own: String? {
    let text = { (path: String) in String(decoding: contents(ofSmallFile: path) ?? [], as: UTF8.self) }
    let mounts = CgroupPlace.mounts(inMountinfo: text("/proc/self/mountinfo"))
    return CgroupPlace.own(inProcCgroup: text("/proc/self/cgroup")).flatMap {
      CgroupPlace.folder(of: $0, in: mounts)
    }
  }

  /// What systemd does for Delegate=yes.
  func delegate() throws {
    if let problem = Self.problem({ () throws(SystemError) in try group.set("user.delegate", "1") }) {
      try Test.cancel("a cgroup can't be marked here: \(problem)")
    }
  }

  private static func problem(_ body: () throws(SystemError) -> Void) -> SystemError? {
    do throws(SystemError) {
      try body()
      return nil
    } catch {
      return error
    }
  }

  /// What a command is started with to be in it: in the leaf, once there is one (`DelegateSubgroup=daemon`), for with a
  /// controller on the cgroup itself takes nobody.
  var entrance: [String] {
    let leaf = group.child(CgroupPlace.leaf)
    let place = leaf.has("cgroup.procs") ? leaf : group
    return ["/bin/sh", "-c", "echo 0 > \"$0\" && exec \"$@\"", "\(place.path)/cgroup.procs"]
  }

  deinit {
    // Those that the test started have ended; who has not is told.
    if !group.awaitEmpty(until: Clock.now() + .seconds(10)) {
      let names = group.members.map { "\($0) \(ProcessTable.command(of: $0) ?? "?")" }
      Issue.record("still in the cgroup of the test: \(names)")
      do { try group.kill() } catch { Issue.record(error) }
      _ = group.awaitEmpty(until: Clock.now() + .seconds(10))
    }
    if case .failed(let error) = group.remove() { Issue.record(error) }
  }
}
