// The program as a successor: in its rehearsal, and when it takes over.

import Glibc
import Supervisor

extension Program {
  /// A child of the daemon says whether this program can go on with that state.
  static func rehearse(_ state: CInt) -> Int32 {
    do {
      let answer = try Rehearsal.perform(state)
      _ = try OwnPrograms.find()
      print(answer, terminator: "")
      return 0
    } catch {
      complain("\(error)")
      return 1
    }
  }

  /// In the process of the program before, with its descriptors.
  static func takeOver(_ inheritance: Inheritance) -> Int32 {
    let fallBack = FallBack(
      inheritance, arguments: Inheritance.removed(from: CommandLine.arguments), complain: complain)
    let state = fallBack.certainly { try StateFile.read(inheritance.state) }
    guard state.pid == getpid() else { fallBack.giveUp("the state is that of process \(state.pid)") }
    if let closed = state.descriptors.first(where: { fcntl($0, F_GETFD) == -1 }) {
      fallBack.giveUp("descriptor \(closed) of the state is not open")
    }
    if Set(state.descriptors).count != state.descriptors.count {
      fallBack.giveUp("a descriptor of the state is there twice")
    }
    fallBack.certainly { try state.checkKeepers() }
    umask(0o022)
    let configuration = fallBack.certainly { try state.configuration() }
    let loop = fallBack.certainly { try EventLoop() }
    let logs = fallBack.certainly {
      try LogContext.standard(loop: loop, threshold: configuration.daemon.logLevel)
    }
    let daemon = Daemon(
      restoring: state, loop: loop, configuration: configuration, logs: logs,
      programs: fallBack.certainly { try OwnPrograms.find() }, fallBack: fallBack)
    daemon.takeOver(state, fallBack)
    for number in [inheritance.state, inheritance.former] { close(number) }
    do throws(SystemError) { return try daemon.run() } catch {
      complain("fdsupervisord: \(error)")
      return 1
    }
  }
}
