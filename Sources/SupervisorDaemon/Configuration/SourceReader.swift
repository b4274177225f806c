// Reads one file of the configuration, if it is one that can be trusted. What is in it is judged elsewhere.

import Glibc
import Supervisor

/// Why a file is not read; `description` is a whole sentence, with the remedy.
struct UnreadableFile: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// What makes two paths the same file.
struct FileIdentity: Hashable {
  let device: dev_t
  let inode: ino_t
}

enum SourceReader {
  /// The longest file that is read, in bytes.
  private static let limit = 1 << 20

  /// The bytes and the identity of a file, which is judged on the very descriptor that is then read.
  static func read(_ path: String) throws(UnreadableFile) -> (bytes: [UInt8], identity: FileIdentity) {
    let object = escaped(path)
    let file = try open(path, object)
    let status = try examine(file, object)
    if let refusal = FileTrust.refusal(of: object, status, daemonUser: geteuid()) {
      throw UnreadableFile(refusal)
    }
    let bytes = try contents(of: file, object)
    if bytes.count > limit { throw UnreadableFile("cannot read \(object): it is longer than 1 MiB") }
    return (bytes, FileIdentity(device: status.st_dev, inode: status.st_ino))
  }

  private static func open(_ path: String, _ object: String) throws(UnreadableFile) -> FileDescriptor {
    do throws(SystemError) {
      // Without O_NONBLOCK, opening a FIFO would wait for a writer (fifo(7)).
      return try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
    } catch {
      throw UnreadableFile("cannot read \(object): \(SystemError.text(error.code))")
    }
  }

  private static func examine(
    _ file: borrowing FileDescriptor, _ object: String
  ) throws(UnreadableFile) -> stat {
    do throws(SystemError) {
      return try file.status()
    } catch {
      throw UnreadableFile("cannot read \(object): \(SystemError.text(error.code))")
    }
  }

  /// At most one byte more than the limit.
  private static func contents(
    of file: borrowing FileDescriptor, _ object: String
  ) throws(UnreadableFile) -> [UInt8] {
    var bytes: [UInt8] = []
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 1)
    defer { chunk.deallocate() }
    do throws(SystemError) {
      while bytes.count <= limit {
        let count = try file.read(
          into: UnsafeMutableRawBufferPointer(rebasing: chunk.prefix(limit + 1 - bytes.count)))
        if count == 0 { break }
        bytes += chunk[..<count]
      }
      return bytes
    } catch {
      throw UnreadableFile("cannot read \(object): \(SystemError.text(error.code))")
    }
  }
}
