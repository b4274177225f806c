// A copy of the programs for one test, so that the daemon's can be replaced.

import Glibc
import Supervisor
import Testing

/// A folder with the daemon and the keeper.
struct ProgramFolder {
  private let folder: String
  var daemon: String { folder + "/fdsupervisord" }

  init(in world: World) throws {
    folder = world.path("bin")
    mkdir(folder, 0o755)
    for name in ["fdsupervisord", "fdsupervisor-keeper"] {
      try copy(name, to: "\(folder)/\(name)")
    }
  }

  private func copy(_ name: String, to path: String) throws {
    let copy = try Spawned("/bin/cp", ["-p", try ChildProcess.built(name), path])
    if try copy.status() != 0 { throw SystemError("copy", name) }
  }

  /// Puts a program in the place of the daemon's, as an installation does it: rename(2).
  ///
  /// cp(1) writes it: a descriptor of this process could be in a child of a test beside this one, and what
  /// somebody has open for writing can't be executed.
  func replace(with program: String) throws {
    let copy = try Spawned("/bin/cp", ["-p", program, daemon + ".new"])
    if try copy.status() != 0 { throw SystemError("copy", program) }
    if rename(daemon + ".new", daemon) == -1 { throw SystemError("rename", daemon) }
  }

  /// The same with a script; its mode decides whether it can be executed.
  func replace(withScript text: String, mode: mode_t = 0o755) throws {
    let path = folder + "/script"
    let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    var bytes = Array(("#!/bin/sh\n" + text).utf8)
    _ = try bytes.withUnsafeMutableBytes { try file.write(UnsafeRawBufferPointer($0)) }
    fchmod(file.number, mode)
    try replace(with: path)
  }

  /// The true one again.
  func restore() throws { try replace(with: try ChildProcess.built("fdsupervisord")) }

  /// A daemon of its own folder, where nothing else is.
  func copyWithoutKeeper() throws -> String {
    mkdir(folder + "/alone", 0o755)
    let path = folder + "/alone/fdsupervisord"
    try copy("fdsupervisord", to: path)
    return path
  }
}
