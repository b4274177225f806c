// The state on its way: a memory file that nobody can change any more, with a header that says which format it is.

import CLinux
import Glibc
import Supervisor

/// Writes and reads a `HandoverState`.
package enum StateFile {
  /// Raised whenever an older program could not read what a newer one writes, or the other way round.
  package static let version = 1
  /// Bytes; a state has some kilobytes, and what services last wrote.
  private static let limit = 256 << 20
  private static let magic = "fdsupervisord-state "
  /// F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE, fcntl(2).
  private static let seals = 0xf
  private static let addSeals: CInt = 1033
  private static let getSeals: CInt = 1034

  package static func write(_ state: HandoverState) throws(HandoverError) -> FileDescriptor {
    let json: [UInt8]
    do throws(WireError) { json = try Wire.encode(state) } catch {
      throw HandoverError("cannot write the daemon's state: \(error)")
    }
    return try seal(Array("\(magic)\(version)\n".utf8) + json)
  }

  /// A sealed memory file with these bytes, its offset at the beginning.
  package static func seal(_ bytes: [UInt8]) throws(HandoverError) -> FileDescriptor {
    if bytes.count > limit {
      throw HandoverError("the daemon's state has \(bytes.count) bytes; at most \(limit) are handed over")
    }
    do throws(SystemError) {
      let file = FileDescriptor(
        owning: try retrying("create a memory file") { cl_memory_file("fdsupervisord-state") })
      var written = 0
      while written < bytes.count {
        written += try bytes.withUnsafeBufferPointer { all throws(SystemError) in
          try file.write(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: all[written...])))
        }
      }
      let number = file.number
      _ = try retrying("seal", "the daemon's state") { cl_fcntl(number, addSeals, seals) }
      _ = try retrying("rewind", "the daemon's state") { lseek(number, 0, SEEK_SET) }
      return file
    } catch { throw HandoverError(error.description) }
  }

  /// Reads a state; the descriptor stays open, and stays the caller's.
  package static func read(_ number: CInt) throws(HandoverError) -> HandoverState {
    // Who sealed it wrote all of it.
    guard cl_fcntl(number, getSeals, 0) == CInt(seals) else {
      throw HandoverError("descriptor \(number) is no sealed state of a daemon")
    }
    let bytes = try contents(number)
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")),
      case let header = String(decoding: bytes[..<end], as: UTF8.self), header.hasPrefix(magic)
    else { throw HandoverError("descriptor \(number) is no state of a daemon") }
    guard header.dropFirst(magic.count) == "\(version)" else {
      throw HandoverError(
        "the state has format \(ProcessTable.printable(String(header.dropFirst(magic.count).prefix(20)))), "
          + "fdsupervisord \(Product.version) reads format \(version); restart the daemon instead")
    }
    do throws(WireError) {
      return try Wire.decode(HandoverState.self, from: bytes[(end + 1)...])
    } catch { throw HandoverError("cannot read the daemon's state: \(error)") }
  }

  private static func contents(_ number: CInt) throws(HandoverError) -> [UInt8] {
    var status = stat()
    guard fstat(number, &status) == 0, (0...limit).contains(Int(status.st_size)) else {
      throw HandoverError("the daemon's state is longer than \(limit) bytes")
    }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var done = 0
    do throws(SystemError) {
      while done < bytes.count {
        let got = try bytes.withUnsafeMutableBufferPointer { room throws(SystemError) in
          try retrying("read", "the daemon's state") {
            pread(number, room.baseAddress.map { $0 + done }, room.count - done, off_t(done))
          }
        }
        if got == 0 { break }
        done += got
      }
    } catch { throw HandoverError(error.description) }
    return bytes
  }
}
