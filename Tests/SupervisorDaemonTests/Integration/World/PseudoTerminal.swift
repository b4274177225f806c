// A terminal of a test's own, pty(7), with an interactive shell on it: what a person sees, and what he types.

import CLinux
import Glibc
import Supervisor
import Testing

/// A terminal, and the shell that was started on it.
final class PseudoTerminal {
  private let screen: FileDescriptor
  private let shell: Spawned
  /// Everything that was shown.
  private(set) var shown = ""
  private var bytes: [UInt8] = []
  /// What was waited for so far ends here.
  private var seen: String.Index

  /// The shell starts in the folder.
  init(in folder: String, environment: [String] = []) throws {
    var number: CInt = -1
    var name = [CChar](repeating: 0, count: 64)
    if cl_open_pseudo_terminal(&number, &name, name.count) == -1 { throw SystemError("open a terminal") }
    screen = FileDescriptor(owning: number)
    seen = shown.startIndex
    try screen.setBlocking(.nonBlocking)
    let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let own = ["TERM=xterm", "PS1=ready> ", "ENV=", "HISTFILE="] + environment
    let names = own.map { $0.prefix { $0 != "=" } } + ["NO_COLOR"]
    let others = Spawned.plainEnvironment.filter { entry in !names.contains { entry.hasPrefix($0 + "=") } }
    shell = try Spawned(
      "/bin/sh", ["-c", "cd '\(folder)' && exec /bin/sh -i"], environment: others + own, input: .device(path),
      output: .device(path), errors: .device(path), session: .own, care: .leashed)
    try shows("ready> ")
  }

  /// What keys send; "\n" is Enter.
  func type(_ text: String) throws {
    let keys = Array(text.utf8)
    let count = try keys.withUnsafeBytes { try screen.write($0) }
    #expect(count == keys.count)
  }

  /// Waits until a text appears behind what was waited for before.
  func shows(_ text: String, within limit: Duration = .seconds(20)) throws {
    do {
      try eventually("the terminal shows \"\(text)\"", within: limit) { () -> Bool? in
        read()
        guard let range = shown[seen...].firstRange(of: text) else { return nil }
        seen = range.upperBound
        return true
      }
    } catch {
      throw NeverHappened(what: "\(error); it shows:\n\(shown.debugDescription)")
    }
  }

  /// Ends the shell by its own means.
  func leave() throws {
    try type("exit\n")
    try eventually("the shell ends") {
      read()
      return shell.isRunning ? nil : true
    }
  }

  private func read() {
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    do throws(SystemError) {
      while true {
        let got = try buffer.withUnsafeMutableBufferPointer { room throws(SystemError) in
          try screen.read(into: UnsafeMutableRawBufferPointer(room))
        }
        if got == 0 { break }
        bytes += buffer[..<got]
      }
    } catch {}  // EAGAIN: that was all; EIO: nobody is there any more
    let text = String(decoding: bytes, as: UTF8.self)
    let offset = shown.utf8.distance(from: shown.startIndex, to: seen)
    shown = text
    seen = shown.utf8.index(shown.startIndex, offsetBy: offset)
  }
}
