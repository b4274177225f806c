// Ends the processes that hold an address, for a command that waits for it: SIGTERM, then SIGKILL. The daemon does the
// same in its loop, in FreeRequest.

import Glibc

package enum HolderRemoval {
  /// Between SIGTERM and SIGKILL, and between SIGKILL and giving up.
  package static let patience: Duration = .seconds(2)

  /// Ends processes and waits until they are gone, at most twice the patience; says what was done, a line each.
  ///
  /// They were seen as holders a moment ago; their identity is checked once more with the pidfd, so that nobody else is
  /// hit who has got the number meanwhile.
  package static func run(_ processes: [ProcessDescription], patience: Duration = patience) -> [String] {
    var remarks: [String] = []
    var left: [Target] = []
    for process in processes {
      do throws(SystemError) {
        let target = Target(process, try PidFD.open(process.identity))
        try target.terminate()
        left.append(target)
      } catch { remarks.append(failure(error, process)) }
    }
    remarks += wait(for: &left, patience).map { ended($0.process, by: SIGTERM) }
    for target in left {
      do throws(SystemError) { _ = try target.pidfd.send(SIGKILL) } catch {
        remarks.append(failure(error, target.process))
      }
    }
    remarks += wait(for: &left, patience).map { ended($0.process, by: SIGKILL) }
    return remarks + left.map { survives($0.process) }
  }

  private final class Target {
    let process: ProcessDescription
    let pidfd: PidFD

    init(_ process: ProcessDescription, _ pidfd: consuming PidFD) {
      self.process = process
      self.pidfd = pidfd
    }

    /// A stopped process ends only when it goes on.
    func terminate() throws(SystemError) {
      _ = try pidfd.send(SIGTERM)
      _ = try pidfd.send(SIGCONT)
    }
  }

  /// Waits for as long as the patience lasts; who is gone, those who are not stay in `targets`.
  private static func wait(for targets: inout [Target], _ patience: Duration) -> [Target] {
    let end = Clock.now() + patience
    var gone: [Target] = []
    while !targets.isEmpty {
      let now = Clock.now()
      if now >= end { break }
      var polls = targets.map { pollfd(fd: $0.pidfd.descriptor.number, events: Int16(POLLIN), revents: 0) }
      // Rounded up: with 0 it would not wait at all.
      let ready = poll(&polls, nfds_t(polls.count), Int32((end - now).milliseconds.rounded(.up)))
      if ready == -1, errno != EINTR { break }
      let finished = Set(polls.indices.filter { ready > 0 && polls[$0].revents != 0 })
      gone += finished.sorted().map { targets[$0] }
      targets = targets.indices.filter { !finished.contains($0) }.map { targets[$0] }
    }
    return gone
  }
}

// What was done, as one line each.
extension HolderRemoval {
  package static func ended(_ process: ProcessDescription, by signal: Int32) -> String {
    "ended \(process) with \(SignalName.of(signal))"
  }

  package static func survives(_ process: ProcessDescription) -> String {
    "\(process) does not die of SIGKILL"
  }

  package static func failure(_ error: SystemError, _ process: ProcessDescription) -> String {
    switch error.code {
    case ESRCH: "\(process) was gone already"
    case EPERM: "\(process) is not this user's to end; root may"
    default: error.description
    }
  }
}
