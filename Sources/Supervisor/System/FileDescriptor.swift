// The owner of a descriptor: it is closed exactly once, by whoever holds it last.

import CLinux
import Glibc

/// An open descriptor, owned.
///
/// Closed by `close()` or when the owner goes.
package struct FileDescriptor: ~Copyable, Sendable {
  /// The number; valid as long as the owner lives.
  ///
  /// For system calls only, never to be stored.
  package let number: CInt

  /// Takes over an open descriptor.
  package init(owning number: CInt) {
    precondition(number >= 0, "a descriptor is never negative")
    self.number = number
  }

  deinit { Self.closeChecked(number) }

  /// Closes now.
  package consuming func close() {}

  /// Gives the number away: the caller owns it from here on.
  package consuming func release() -> CInt {
    let number = self.number
    discard self
    return number
  }

  /// Another descriptor of the same open file description, close-on-exec, fcntl(2) F_DUPFD_CLOEXEC.
  package borrowing func duplicate() throws(SystemError) -> FileDescriptor {
    let number = self.number
    return FileDescriptor(
      owning: try retrying("duplicate a descriptor") { cl_fcntl(number, F_DUPFD_CLOEXEC, 0) })
  }

  private static func closeChecked(_ number: CInt) {
    // EBADF means that somebody else closed it, and that the next close may hit a stranger's descriptor.
    // After any other error, EINTR included, Linux has released the number (close(2)).
    if Glibc.close(number) == -1, errno == EBADF {
      preconditionFailure("close: descriptor \(number) was not open")
    }
  }
}

extension FileDescriptor {
  /// Opens a file, close-on-exec, open(2).
  package static func open(_ path: String, _ flags: CInt, mode: mode_t = 0) throws(SystemError)
    -> FileDescriptor
  {
    FileDescriptor(owning: try retrying("open", path) { cl_open(path, flags, mode) })
  }

  /// A pipe, both ends close-on-exec, the read end non-blocking, pipe2(2).
  package static func pipe() throws(SystemError) -> PipeEnds {
    var ends: (CInt, CInt) = (-1, -1)
    let result = withUnsafeMutableBytes(of: &ends) { cl_pipe($0.bindMemory(to: CInt.self).baseAddress) }
    if result == -1 { throw SystemError("create a pipe") }
    return PipeEnds(reading: FileDescriptor(owning: ends.0), writing: FileDescriptor(owning: ends.1))
  }

  /// Reads up to the buffer's size; 0 is the end of the file.
  ///
  /// EAGAIN is thrown.
  package borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
    let number = self.number
    return try retrying("read") { Glibc.read(number, buffer.baseAddress, buffer.count) }
  }

  /// Writes some of the bytes; how many is returned.
  ///
  /// EAGAIN is thrown.
  package borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
    let number = self.number
    return try retrying("write") { Glibc.write(number, bytes.baseAddress, bytes.count) }
  }

  /// fstat(2).
  package borrowing func status() throws(SystemError) -> stat {
    var result = stat()
    let number = self.number
    _ = try retrying("examine") { fstat(number, &result) }
    return result
  }

  /// Sets or clears O_NONBLOCK of the open file description, fcntl(2).
  package borrowing func setBlocking(_ mode: BlockingMode) throws(SystemError) {
    let number = self.number
    let flags = try retrying("read the flags of a descriptor") { cl_fcntl(number, F_GETFL, 0) }
    let wanted = mode == .nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
    if wanted != flags {
      _ = try retrying("set the flags of a descriptor") { cl_fcntl(number, F_SETFL, Int(wanted)) }
    }
  }

  package enum BlockingMode { case blocking, nonBlocking }
}

/// The two ends of a pipe.
package struct PipeEnds: ~Copyable {
  package var reading: FileDescriptor
  package var writing: FileDescriptor

  init(reading: consuming FileDescriptor, writing: consuming FileDescriptor) {
    self.reading = reading
    self.writing = writing
  }
}

/// Reads a whole small file, as those of /proc, up to `limit` bytes; nil when it is not there or not readable.
package func contents(ofSmallFile path: String, limit: Int = 1 << 20) -> [UInt8]? {
  let number = cl_open(path, O_RDONLY, 0)
  guard number >= 0 else { return nil }
  let file = FileDescriptor(owning: number)
  var bytes: [UInt8] = []
  var chunk = 4096
  while bytes.count < limit {
    let room = min(chunk, limit - bytes.count)
    var got = -1
    bytes.append(
      contentsOf: [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        repeat { got = Glibc.read(file.number, buffer.baseAddress, room) } while got == -1 && errno == EINTR
        count = max(0, got)
      })
    if got < 0 { return nil }
    if got == 0 { break }
    chunk = min(chunk * 4, 65536)
  }
  return bytes
}
