// The pipe behind stdout and stderr of a service. One for all its generations, in one descriptor.

import CLinux
import Glibc
import Supervisor

/// The daemon's end of a service's output.
///
/// The pipe is opened for reading and writing in one descriptor: it always has a writer, so it never hangs
/// up, and whoever keeps it open after a generation (a stranger, a process that may outlive it) delays
/// nothing, is not killed by SIGPIPE, and costs no further descriptor. That a generation is over is never
/// told by the pipe.
struct OutputPipe: ~Copyable {
  private let both: FileDescriptor

  /// F_SETPIPE_SZ, fcntl(2), which Swift's Glibc module does not show.
  private static let setPipeSize: CInt = 1031

  init() throws(SystemError) {
    let ends = try FileDescriptor.pipe()
    both = try Self.open(ends.reading.number, O_RDWR | O_NONBLOCK)
  }

  /// Goes on with the pipe of a daemon before this one.
  init(_ both: consuming FileDescriptor) { self.both = both }

  /// For epoll(7), and for a keeper to keep.
  var number: CInt { both.number }

  /// A write end with an open file description of its own: a service that sets O_NONBLOCK on its stdout must
  /// not surprise the next generation.
  borrowing func writeEnd() throws(SystemError) -> FileDescriptor { try Self.open(both.number, O_WRONLY) }

  /// Reads what is there, up to the buffer's size; 0 when there is nothing.
  borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
    do throws(SystemError) {
      return try both.read(into: buffer)
    } catch {
      if error.code == EAGAIN { return 0 }
      throw error
    }
  }

  /// Lets the pipe hold more, up to fs.pipe-max-size; the kernel may refuse, and then it stays as it is.
  borrowing func grow(to size: Int) { _ = cl_fcntl(both.number, Self.setPipeSize, size) }

  /// Opening through /proc makes a new open file description of the same pipe, proc(5).
  private static func open(_ number: CInt, _ flags: CInt) throws(SystemError) -> FileDescriptor {
    try FileDescriptor.open("/proc/self/fd/\(number)", flags)
  }
}
