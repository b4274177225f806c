import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("Errors of opening a socket", .timeLimit(.minutes(5)))
struct SocketErrorTests {
  @Test("an address that somebody has is said to be in use")
  func inUse() throws {
    let other = try openOne(definition(.tcp(loopback, port: 0)))
    let error = failure(definition(other.address))
    #expect(error?.kind == .addressInUse)
    #expect(error?.address == other.address)
    #expect(error?.description == "cannot bind socket \"web\" to \(other.address): Address already in use")
    _ = other.close()
  }

  @Test("a UDP address that somebody has is in use, too")
  func datagramInUse() throws {
    let other = try openOne(definition(.udp(loopback, port: 0)))
    #expect(failure(definition(other.address))?.kind == .addressInUse)
    _ = other.close()
  }

  @Test("an address of another machine is refused with a remedy, which works")
  func notHere() throws {
    let elsewhere = SocketAddress.tcp(.v4(0xc000_0201), port: 8099)
    let error = failure(definition(elsewhere))
    #expect(error?.kind == .addressNotHere)
    let text = "cannot bind socket \"web\" to 192.0.2.1:8099: Cannot assign requested address; "
    let remedy = "no interface of this machine has 192.0.2.1 (free_bind = true binds all the same)"
    #expect(error?.description == text + remedy)
    let bound = try openOne(definition(.tcp(.v4(0xc000_0201), port: 0)) { $0.freeBind = true })
    _ = bound.close()
  }

  @Test("a missing folder is named")
  func noFolder() throws {
    let folder = try TemporaryFolder()
    let error = failure(definition(folder.address(.stream, "not/there")))
    #expect(
      error?.description.hasSuffix(": No such file or directory; create the folder \(folder.path)/not")
        == true)
  }

  @Test("a file that is no socket stays, and is named for what it is")
  func noSocket() throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/s"
    close(creat(file, 0o600))
    let error = failure(definition(folder.address()))
    #expect(error?.description.hasSuffix("the path is a regular file; remove it, or choose another") == true)
    #expect(symlink("/nowhere", folder.path + "/link") == 0)
    let link = failure(definition(folder.address(.stream, "link")))
    #expect(link?.step == .pathTaken(by: "a symbolic link"))
    #expect(Set(folder.entries) == ["s", "link"])
  }

  @Test("an unknown user or group is named, and nothing is left behind")
  func accounts() throws {
    let folder = try TemporaryFolder()
    let user = failure(definition(folder.address()) { $0.user = "no-such-user" })
    #expect(user?.description.hasPrefix("cannot find user \"no-such-user\" for socket \"web\"") == true)
    let group = failure(definition(folder.address()) { $0.group = "no-such-group" })
    #expect(group?.step == .findAccount("group \"no-such-group\""))
    #expect(folder.entries.isEmpty)
  }

  @Test("no free descriptor is said with the remedy")
  func outOfDescriptors() async {
    await #expect(processExitsWith: .success) {
      let next = dup(0)
      close(next)
      var limit = rlimit(rlim_cur: rlim_t(next), rlim_max: rlim_t(next))
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      let error = failure(definition(.tcp(loopback, port: 1)))
      #expect(error?.kind == .outOfDescriptors)
      #expect(error?.description.contains("Too many open files; raise the daemon's limit") == true)
    }
  }

  @Test("giving a socket away without the right leaves no path behind")
  func foreignOwner() async {
    await #expect(processExitsWith: .success) {
      if geteuid() == 0 { #expect(setuid(65534) == 0) }
      let folder = try TemporaryFolder()
      let error = failure(definition(folder.address()) { $0.user = "0" })
      #expect(error?.step == .changeOwner)
      #expect(error?.description.hasSuffix("only root may give a socket to another user") == true)
      #expect(folder.entries.isEmpty)
    }
  }

  @Test("each one reads as a sentence with its remedy")
  func texts() {
    func text(_ address: SocketAddress, _ step: SocketError.Step, _ code: Int32) -> String {
      SocketError(socket: "web", address: address, step: step, code: code).description
    }
    let web = SocketAddress.tcp(loopback, port: 80)
    #expect(
      text(web, .bind, EACCES)
        == "cannot bind socket \"web\" to 127.0.0.1:80: Permission denied; "
        + "ports below 1024 need CAP_NET_BIND_SERVICE (or root)")
    #expect(text(.tcp(loopback, port: 8080), .bind, EACCES).hasSuffix(": Permission denied"))
    #expect(
      text(.unix(.stream, .path("/run/x/s")), .bind, EACCES)
        .hasSuffix("Permission denied; the daemon may not write to /run/x"))
    #expect(text(web, .create, ENFILE).hasSuffix("(sysctl fs.file-max)"))
    #expect(
      text(web, .listen, EADDRINUSE)
        == "cannot listen on socket \"web\" (127.0.0.1:80): Address already in use")
    let both = SocketOpenFailure(errors: [
      SocketError(socket: "a", address: web, step: .bind, code: EADDRINUSE),
      SocketError(socket: "b", address: web, step: .bind, code: EADDRINUSE),
    ])
    #expect(both.description.split(separator: "\n").count == 2)
  }
}
