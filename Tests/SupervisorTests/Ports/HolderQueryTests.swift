// The answer to "who holds this port", as people and JSON get it.

import Glibc
import Supervisor
import Testing

@Suite("The answer to who holds a port", .timeLimit(.minutes(5)))
struct HolderQueryTests {
  @Test("names the process that listens, with its command and user, and no client")
  func holder() throws {
    let server = try PythonProcess("s = bound(); s.listen(); say(port(s), inode(s), s.fileno()); wait()")
    let numbers = try server.numbers()
    let client = try PythonProcess("c = socket.create_connection((LOCAL, \(numbers[0]))); say(0); wait()")
    _ = try client.line()
    let reply = try HolderQuery.holders(of: loopback(numbers[0]))
    #expect(reply.address == "127.0.0.1:\(numbers[0])")
    let record = try #require(reply.holders.first)
    #expect(reply.holders.count == 1)
    #expect(record.pid == server.pid && record.fd == Int32(numbers[2]) && record.inode == UInt64(numbers[1]))
    #expect(record.command.contains("python3 -c"))
    #expect(record.user == UserNames.read().name(of: geteuid()))
    #expect((0..<60).contains(record.age))
    let all = try HolderQuery.allListeners()
    #expect(all.holders.contains { $0.pid == server.pid && $0.address == reply.address })
  }

  @Test("tells that nobody listens, and what lingers there")
  func nobody() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); p = port(s); c = socket.create_connection((LOCAL, p)); a, _ = s.accept()
      a.close(); c.recv(1); c.close(); s.close(); say(p); wait()
      """)
    let address = loopback(try server.numbers()[0])
    let reply = try HolderQuery.holders(of: address)
    #expect(reply.holders.isEmpty)
    #expect(
      reply.remarks == [
        "nobody listens on \(address)",
        "1 connection in TIME_WAIT: a new listener with SO_REUSEADDR is not kept out by that",
      ])
  }

  @Test("tells that somebody listens whom no /proc shows: the listener waits in a queue")
  func inFlight() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); a, b = socket.socketpair(); socket.send_fds(a, [b'x'], [s.fileno()])
      p, n = port(s), inode(s); s.close(); say(p, n); wait()
      """)
    let numbers = try server.numbers()
    let reply = try HolderQuery.holders(of: loopback(numbers[0]))
    #expect(reply.holders.isEmpty)
    #expect(
      reply.remarks.first?.hasPrefix(
        "somebody listens on 127.0.0.1:\(numbers[0]) (inode \(numbers[1]), user ")
        == true)
    #expect(reply.remarks.first?.contains("no process that /proc shows here holds it") == true)
  }

  @Test("says how many processes could not be read, and leaves out who let go meanwhile")
  func remarks() {
    let question = HolderQuestion(
      address: loopback(80), listeners: [ListenerEntry(address: loopback(80), inode: 5, uid: nil)])
    let walk = HolderWalkResult(holders: [HolderEntry(pid: getpid(), fd: 0, inode: 5)], unreadable: 3)
    let reply = question.reply(to: walk)
    #expect(reply.holders.isEmpty)
    #expect(
      reply.remarks.first == "process \(getpid()) held 127.0.0.1:80 a moment ago, and does not any more")
    #expect(reply.remarks.last?.hasPrefix("3 processes could not be read") == true)
  }

  @Test("tells a user to whom the listeners belong that only root may look into, one line a user")
  func hidden() {
    func listener(_ port: Int, _ uid: UInt32) -> ListenerEntry {
      ListenerEntry(address: loopback(port), inode: UInt64(port), uid: uid)
    }
    let question = HolderQuestion(
      address: nil,
      listeners: [listener(22, 0), listener(80, 0), listener(90, 4_000_000_000), listener(99, 1000)])
    let remarks = question.reply(to: HolderWalkResult(holders: []), asUser: 1000).remarks
    #expect(remarks.first?.hasPrefix("somebody listens on 127.0.0.1:99 (inode 99, user ") == true)
    #expect(
      remarks.dropFirst() == [
        "2 listeners belong to user root; root sees who holds them: 127.0.0.1:22, 127.0.0.1:80",
        "127.0.0.1:90 belongs to user 4000000000; root sees who holds it",
      ])
  }
}

@Suite("The description of a process")
struct ProcessDescriptionTests {
  @Test("is one line with pid, command, user, unit and age")
  func text() {
    let process = ProcessDescription(
      identity: ProcessIdentity(pid: 812, startTime: 1), command: "nginx -g daemon off;", user: "www-data",
      unit: "nginx.service", age: .seconds(12_000))
    #expect("\(process)" == #"pid 812 "nginx -g daemon off;" (user www-data, nginx.service, for 3 h 20 m)"#)
  }

  @Test("cuts a long command and leaves out an unknown unit")
  func long() {
    let process = ProcessDescription(
      identity: ProcessIdentity(pid: 1, startTime: 1), command: String(repeating: "x", count: 4000),
      user: "0",
      unit: "", age: .seconds(1))
    #expect("\(process)" == "pid 1 \"\(String(repeating: "x", count: 159))…\" (user 0, for 1 s)")
  }

  @Test(
    "names the innermost unit of the cgroup, else its path",
    arguments: [
      ("0::/system.slice/nginx.service\n", "nginx.service"),
      ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/vim-7.scope\n", "vim-7.scope"),
      ("0::/system.slice/docker.service/payload\n", "docker.service"),
      ("0::/pods/a\n", "/pods/a"), ("0::/\n", ""), ("", ""),
      ("5:cpu:/x\n1:name=systemd:/system.slice/cron.service\n0::/\n", "cron.service"),
    ])
  func unit(cgroup: String, expected: String) {
    #expect(ProcessDescription.unit(ofCgroup: Array(cgroup.utf8)) == expected)
  }

  @Test("of a living process is read from /proc, of a gone one there is none")
  func living() throws {
    let own = try #require(ProcessDescription.of(getpid()))
    #expect(own.identity == ProcessTable.stat(of: getpid())?.identity)
    #expect(own.user == UserNames.read().name(of: geteuid()))
    #expect(ProcessDescription.of(4_194_304) == nil)
  }
}

@Suite("The names of users")
struct UserNamesTests {
  @Test("come from passwd, the first of several counts, and a number stands for itself")
  func names() {
    let users = UserNames(
      passwd: Array("root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\nbroken\n:x:7:\nwww-data:x:33:33::/:\n".utf8))
    #expect(users.name(of: 0) == "root")
    #expect(users.name(of: 33) == "www-data")
    #expect(users.name(of: 7) == "7")
  }
}
