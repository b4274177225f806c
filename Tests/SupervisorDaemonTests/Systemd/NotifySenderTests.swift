import Glibc
import Supervisor
import SupervisorDaemon
import Testing

@Suite("Notifications to the service manager", .timeLimit(.minutes(5)))
struct NotifySenderTests {
  private let folder: TemporaryFolder
  private let loop: EventLoop
  private let listener: NotifyListener
  private let sender: NotifySender

  init() throws {
    folder = try TemporaryFolder()
    loop = try EventLoop()
    listener = try NotifyListener(folder.path + "/notify")
    sender = NotifySender(path: listener.path, loop: loop)
  }

  private func turn(until count: Int) throws {
    try eventually("\(count) messages") {
      listener.takeMessages()
      _ = try loop.turn(atMost: .zero)
      return listener.messages.count >= count ? true : nil
    }
  }

  @Test("arrive in their order, however slowly they are read; of the status the last one is enough")
  func order() throws {
    for number in 0..<2000 {
      sender.say("N=\(number)")
      sender.say(status: "\(number)")
    }
    sender.say("END=1")
    try eventually("the end") {
      listener.takeMessages()
      _ = try loop.turn(atMost: .zero)
      return listener.messages.last == ["END=1"] ? true : nil
    }
    #expect(listener.values(of: "N") == (0..<2000).map { "\($0)" })
    #expect(listener.values(of: "STATUS").last == "1999" && listener.values(of: "STATUS").count < 2000)
    #expect(try loop.turn(atMost: .zero) == false)
  }

  @Test("that nobody wants are gone, and a listener that comes again is found")
  func absence() throws {
    let path = folder.path + "/later"
    let sender = NotifySender(path: path, loop: loop)
    sender.say("N=1")
    var first: NotifyListener? = try NotifyListener(path)
    sender.say("N=2")
    #expect(first?.values(of: "N") == ["2"])
    first = nil
    sender.say("N=3")
    let second = try NotifyListener(path)
    sender.say("N=4")
    #expect(second.values(of: "N") == ["4"])
  }

  @Test("bring a descriptor along")
  func descriptor() throws {
    let file = try FileDescriptor.open("/dev/null", O_RDONLY)
    let inode = UInt64(try file.status().st_ino)
    sender.say("FDSTORE=1\nFDNAME=x", giving: file)
    listener.takeMessages()
    #expect(try #require(listener.store["x"]).inode == inode)
  }

  @Test("are waited for no longer than is said, and not at all where nobody listens")
  func settle() throws {
    let began = Clock.now()
    #expect(!sender.settle(within: .milliseconds(50)))
    let took = Clock.now() - began
    #expect(took >= .milliseconds(49) && took < .seconds(10))
    #expect(NotifySender(path: folder.path + "/nobody", loop: loop).settle(within: .seconds(60)))
    #expect(NotifySender(path: String(repeating: "x", count: 200), loop: loop).settle(within: .seconds(60)))
  }
}
