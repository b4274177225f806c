// The walk against real processes and the ways in which they hold a socket.

import Glibc
import Supervisor
import Testing

@Suite("The walk for holders", .timeLimit(.minutes(5)))
struct HolderWalkTests {
  @Test("names every descriptor of every process that has the socket, and nothing else")
  func descriptors() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); d = os.dup(s.fileno()); other = bound()
      c = socket.create_connection((LOCAL, port(s))); r, w = os.pipe()
      child = os.fork()
      if child == 0:
          os.close(d); os.close(w); os.read(r, 1); os._exit(0)
      os.close(r); say(inode(s), s.fileno(), d, child); wait()
      """)
    let numbers = try server.numbers()
    let (inode, child) = (UInt64(numbers[0]), Int32(numbers[3]))
    let result = try HolderWalk.run(inodes: [inode], in: .processes([server.pid, child]))
    // The child closes its copy of the duplicate in its own time.
    let parent = result.holders.filter { $0.pid == server.pid }
    #expect(parent.map(\.fd) == numbers[1...2].map { Int32($0) })
    #expect(result.holders.contains(HolderEntry(pid: child, fd: Int32(numbers[1]), inode: inode)))
    #expect(result.unreadable == 0)
    #expect(
      try HolderWalk.run(inodes: [inode], in: .machine).holders.filter { $0.pid == server.pid } == parent)
  }

  @Test("looks at the given processes alone")
  func scope() throws {
    let server = try PythonProcess("s = bound(); s.listen(); say(inode(s)); wait()")
    let result = try HolderWalk.run(inodes: [UInt64(server.numbers()[0])], in: .processes([getpid()]))
    #expect(result == HolderWalkResult(holders: []))
  }

  @Test("finds a socket that only a thread with its own descriptor table has")
  func ownTable() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); n = inode(s); shared = threading.Event()
      def keep():
          if libc.unshare(0x400) != 0: raise SystemExit('unshare failed')
          shared.set(); wait()
      t = threading.Thread(target=keep, daemon=True); t.start()
      more = threading.Thread(target=threading.Event().wait, daemon=True); more.start()
      shared.wait(); fd = s.fileno(); s.close(); say(n, fd, t.native_id); t.join()
      """)
    let numbers = try server.numbers()
    let result = try HolderWalk.run(inodes: [UInt64(numbers[0])], in: .processes([server.pid]))
    let expected = HolderEntry(
      pid: server.pid, fd: Int32(numbers[1]), inode: UInt64(numbers[0]), thread: Int32(numbers[2]))
    #expect(result.holders == [expected])
  }

  @Test("finds what the threads of a process hold whose first thread has ended")
  func deadLeader() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); main = threading.main_thread().native_id
      def stay():
          while open('/proc/self/task/%d/stat' % main).read().rsplit(')', 1)[1].split()[0] != 'Z': pass
          say(inode(s), s.fileno(), threading.get_native_id()); wait(); os._exit(0)
      threading.Thread(target=stay).start()
      libc.syscall(60 if os.uname().machine == 'x86_64' else 93, 0)
      """)
    let numbers = try server.numbers()
    let result = try HolderWalk.run(inodes: [UInt64(numbers[0])], in: .processes([server.pid]))
    #expect(result.holders.map(\.fd) == [Int32(numbers[1])])
    #expect(result.holders.first?.thread == Int32(numbers[2]))
  }

  @Test("finds a socket that is registered with an io_uring and open nowhere")
  func ring() throws {
    let server = try PythonProcess(
      """
      s = bound(); s.listen(); n = inode(s); files = (ctypes.c_int * 1)(s.fileno())
      ring = libc.syscall(425, 4, (ctypes.c_char * 120)())
      done = ring >= 0 and libc.syscall(427, ring, 2, files, 1) == 0
      s.close(); say(n, ring if done else -1); wait()
      """)
    let numbers = try server.numbers()
    if numbers[1] == -1 { try Test.cancel("io_uring is not available here") }
    let result = try HolderWalk.run(inodes: [UInt64(numbers[0])], in: .processes([server.pid]))
    let expected = HolderEntry(
      pid: server.pid, fd: Int32(numbers[1]), inode: UInt64(numbers[0]), isRegistered: true)
    #expect(result.holders == [expected])
  }

  @Test("counts a process that it may not read, and neither a zombie nor one that is gone")
  func unreadable() throws {
    let server = try PythonProcess(
      """
      child = os.fork()
      if child == 0: os._exit(0)
      os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT); say(child); wait()
      """)
    let zombie = Int32(try server.numbers()[0])
    let gone: Int32 = 4_194_304  // PID_MAX_LIMIT: no process has it.
    #expect(try HolderWalk.run(inodes: [1], in: .processes([zombie, gone])).unreadable == 0)
    var link: CChar = 0
    let isClosed = readlink("/proc/1/fd/0", &link, 1) == -1 && errno == EACCES
    if isClosed { #expect(try HolderWalk.run(inodes: [1], in: .processes([1])).unreadable == 1) }
  }

  @Test("runs beside the caller and brings the same")
  func asynchronous() throws {
    let server = try PythonProcess("s = bound(); s.listen(); say(inode(s), s.fileno()); wait()")
    let numbers = try server.numbers()
    let walk = try HolderWalk.start(inodes: [UInt64(numbers[0])])
    var watched = pollfd(fd: walk.process.descriptor.number, events: Int16(POLLIN), revents: 0)
    #expect(poll(&watched, 1, 30_000) == 1)
    guard case .finished(let result) = walk.receive() else {
      throw SystemError("walk over", "/proc", code: EIO)
    }
    #expect(
      result.holders == [HolderEntry(pid: server.pid, fd: Int32(numbers[1]), inode: UInt64(numbers[0]))])
    var status: Int32 = -1
    #expect(waitpid(walk.pid, &status, 0) == walk.pid)
    #expect(status == 0)
  }

  @Test("that is given up leaves no process behind")
  func abandoned() throws {
    var walk: RunningWalk? = try HolderWalk.start(inodes: [1])
    let pid = try #require(walk?.pid)
    walk = nil
    var status: Int32 = 0
    #expect(waitpid(pid, &status, 0) == pid)
    #expect(ProcessTable.stat(of: pid) == nil)
  }
}
