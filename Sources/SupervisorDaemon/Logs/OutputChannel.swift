// One write that does not wait, on whatever kind of file a descriptor is. Keeps no queue.

import CLinux
import Glibc
import Supervisor

/// A descriptor and the way to write to it without waiting.
///
/// stderr is shared with the shell and with who else runs there: O_NONBLOCK belongs to the open file
/// description (open(2)), so setting it would change their descriptor too. It is never set here.
final class OutputChannel {
  private let descriptor: FileDescriptor
  private let way: Way

  private enum Way {
    /// A regular file never waits for a reader, and the description's offset is shared with others.
    case plain
    /// A description of our own, opened with O_NONBLOCK.
    case nonBlocking
    /// send(2) has MSG_DONTWAIT.
    case socket
    /// Neither: asked by poll(2) first, and then written in pieces of so many bytes.
    case polled(piece: Int)
  }

  enum Outcome { case wrote(Int), wouldWait, failed(Int32) }

  init(_ descriptor: consuming FileDescriptor) throws(SystemError) {
    let kind = try descriptor.status().st_mode & S_IFMT
    if kind == S_IFREG || kind == S_IFSOCK {
      way = kind == S_IFREG ? .plain : .socket
      self.descriptor = descriptor
      return
    }
    let again = cl_open("/proc/self/fd/\(descriptor.number)", O_WRONLY | O_NONBLOCK | O_NOCTTY, 0)
    if again >= 0 {
      way = .nonBlocking
      self.descriptor = FileDescriptor(owning: again)
    } else {
      // EACCES after su(1): the terminal belongs to somebody else. A pipe that poll(2) calls writable takes
      // PIPE_BUF bytes (pipe(7)); a terminal promises less, so it gets less.
      way = .polled(piece: isatty(descriptor.number) == 1 ? 256 : Int(PIPE_BUF))
      self.descriptor = descriptor
    }
  }

  /// For epoll(7).
  var number: CInt { descriptor.number }

  var isSocket: Bool {
    if case .socket = way { true } else { false }
  }

  /// Writes some of the bytes, of which there is at least one.
  func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    do throws(SystemError) {
      switch way {
      case .plain, .nonBlocking: return .wrote(try descriptor.write(bytes))
      case .socket:
        let flags = Int32(MSG_DONTWAIT | MSG_NOSIGNAL)
        return .wrote(try retrying("send") { send(descriptor.number, bytes.baseAddress, bytes.count, flags) })
      case .polled(let piece):
        var question = pollfd(fd: descriptor.number, events: Int16(POLLOUT), revents: 0)
        if try retrying("poll", "", { poll(&question, 1, 0) }) == 0 { return .wouldWait }
        return .wrote(try descriptor.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(piece))))
      }
    } catch {
      return error.code == EAGAIN ? .wouldWait : .failed(error.code)
    }
  }
}
