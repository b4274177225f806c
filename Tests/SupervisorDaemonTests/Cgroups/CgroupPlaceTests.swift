import Supervisor
import SupervisorDaemon
import Testing

@Suite("The place of a cgroup") struct CgroupPlaceTests {
  @Test("is found in every form of mountinfo")
  func mountinfo() {
    let unified = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    #expect(CgroupPlace.mounts(inMountinfo: unified) == [.init(root: "/", point: "/sys/fs/cgroup")])
    let hybrid = """
      31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
      40 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
      41 31 0:38 / /sys/fs/cgroup/unified rw shared:1 master:2 propagate_from:3 - cgroup2 none rw
      42 31 0:38 /a\\040b /mnt/c\\134d\\011e rw unbindable - cgroup2 cgroup2 - rw
      """
    #expect(
      CgroupPlace.mounts(inMountinfo: hybrid) == [
        .init(root: "/", point: "/sys/fs/cgroup/unified"), .init(root: "/a b", point: "/mnt/c\\d\te"),
      ])
    for text in ["", "31 23 0:28", "31 23 0:28 / /x rw -", "1 2 3 / /x rw - ext4 cgroup2 rw"] {
      #expect(CgroupPlace.mounts(inMountinfo: text) == [])
    }
  }

  @Test("is that of the v2 hierarchy alone, and of a cgroup that is still there")
  func own() {
    let text = "5:cpu:/x\n1:name=systemd:/y\n0::/system.slice/a.service\n"
    #expect(CgroupPlace.own(inProcCgroup: text) == "/system.slice/a.service")
    #expect(CgroupPlace.own(inProcCgroup: "0::/\n") == "/")
    #expect(CgroupPlace.own(inProcCgroup: "1:name=systemd:/y\n") == nil)
    #expect(CgroupPlace.own(inProcCgroup: "0::/a (deleted)\n") == nil)
    #expect(CgroupPlace.own(inProcCgroup: "") == nil)
  }

  @Test(
    "is a folder below a mount, as far as one shows it",
    arguments: [
      ("/", [("/", "/sys/fs/cgroup")], "/sys/fs/cgroup"),
      ("/a/b", [("/", "/sys/fs/cgroup")], "/sys/fs/cgroup/a/b"),
      ("/a/b", [("/a", "/m")], "/m/b"),
      ("/a", [("/a", "/m")], "/m"),
      ("/ab", [("/a", "/m")], nil),
      ("/ab", [("/a", "/m"), ("/", "/n")], "/n/ab"),
      // Seen from a cgroup namespace that the process is not in, or whose root is above the mount.
      ("/../x", [("/", "/m")], nil),
      ("/..", [("/..", "/m")], "/m"),
      ("/a", [("/..", "/m")], nil),
      ("/a", [], nil),
    ] as [(String, [(String, String)], String?)])
  func folder(_ cgroup: String, _ mounts: [(String, String)], _ expected: String?) {
    let mounts = mounts.map { CgroupPlace.Mount(root: $0.0, point: $0.1) }
    #expect(CgroupPlace.folder(of: cgroup, in: mounts) == expected)
  }

  @Test("is never a name that the kernel, systemd or the daemon uses itself")
  func names() {
    for name in ["app", "web.v2", "app@1", "-x", "cpux", "memory-eater"] {
      #expect(CgroupPlace.folder(ofService: name) == name)
    }
    for name in ["daemon", "cgroup.procs", "cpu.stat", "memory", "pids.max", ".control", "_x", "daemon.old"] {
      #expect(CgroupPlace.folder(ofService: name) == "_" + name)
    }
    for name in ["app", "daemon", "cpu.stat", "_x", "__x", ".x"] {
      #expect(CgroupPlace.service(ofFolder: CgroupPlace.folder(ofService: name)) == name)
    }
  }

  @Test("has files of keys and values")
  func values() {
    let events = "populated 1\nfrozen 0\n"
    #expect(CgroupPlace.value(of: "populated", in: events) == 1)
    #expect(CgroupPlace.value(of: "frozen", in: events) == 0)
    #expect(CgroupPlace.value(of: "oom", in: "low 0\noom_kill 3\noom x\n") == nil)
  }
}

@Suite("A cgroup is ours") struct DelegationTests {
  private let mount = "31 23 0:28 / /c rw - cgroup2 cgroup2 rw\n"

  private func judge(_ cgroup: String, marked: String...) -> Delegation {
    Delegation.judge(cgroup: "0::\(cgroup)\n", mountinfo: mount) { marked.contains($0) }
  }

  @Test("when it has the manager's mark, or is the leaf of one that has")
  func marked() {
    #expect(judge("/s/a", marked: "/c/s/a") == .unit(ControlGroup(path: "/c/s/a"), .unit))
    #expect(judge("/s/a/daemon", marked: "/c/s/a") == .unit(ControlGroup(path: "/c/s/a"), .leaf))
    #expect(judge("/daemon", marked: "/c") == .unit(ControlGroup(path: "/c"), .leaf))
    #expect(judge("/", marked: "/c") == .unit(ControlGroup(path: "/c"), .unit))
  }

  @Test("not when it only could be written, nor when it was delegated to somebody above")
  func unmarked() {
    #expect(judge("/s/a") == .none("the cgroup /s/a is not delegated"))
    #expect(judge("/s/a/b", marked: "/c/s/a") == .none("the cgroup /s/a/b is not delegated"))
    #expect(judge("/s/daemon/x", marked: "/c/s") == .none("the cgroup /s/daemon/x is not delegated"))
  }

  @Test("not where there is no v2 hierarchy to see it in")
  func absent() {
    let none = Delegation.judge(cgroup: "1:name=systemd:/\n", mountinfo: mount) { _ in true }
    #expect(none == .none("this process is in no cgroup of the v2 hierarchy"))
    #expect(
      Delegation.judge(cgroup: "0::/a\n", mountinfo: "") { _ in true }
        == .none("no cgroup v2 file system is mounted"))
    let outside = Delegation.judge(cgroup: "0::/../a\n", mountinfo: mount) { _ in true }
    #expect(outside == .none("the cgroup /../a is outside of what is mounted at /c"))
  }
}

@Suite("A limit of a service") struct ResourceSettingTests {
  private func resources(_ change: (inout ResourceDefinition) -> Void) -> ResourceDefinition {
    var resources = ResourceDefinition()
    change(&resources)
    return resources
  }

  @Test("is written as the kernel wants it")
  func written() {
    let all = resources {
      $0.memory = 512 << 20
      $0.tasks = 100
      $0.cpu = 150
    }
    let settings = ResourceSetting.all(of: all)
    #expect(
      settings.map { "\($0.controller) \($0.file) \($0.value)" } == [
        "memory memory.oom.group 1", "memory memory.max 536870912", "pids pids.max 100",
        "cpu cpu.max 150000 100000",
      ])
    #expect(all.texts == ["memory = 512MiB", "tasks = 100", "cpu = 150%"])
    #expect(ResourceSetting.all(of: ResourceDefinition()) == [])
  }

  @Test("that is no longer wanted is taken away")
  func removed() {
    let old = resources {
      $0.memory = 1 << 20
      $0.cpu = 1
    }
    let removals = ResourceSetting.removals(from: old, to: resources { $0.cpu = 2 })
    #expect(removals.map { "\($0.file) \($0.value)" } == ["memory.oom.group 0", "memory.max max"])
    #expect(ResourceSetting.removals(from: old, to: old) == [])
  }
}
