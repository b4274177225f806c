// Which holders of an address a person who asks for it may mean: whom to end, whom to spare, and why.

import Glibc

package struct RemovalPlan: Hashable, Sendable {
  /// To be ended.
  package var chosen: [ProcessDescription] = []
  /// Why others are spared, a line each.
  package var refusals: [String] = []
  /// What there is to know about those who are chosen.
  package var advice: [String] = []

  /// What the decision about one process needs to know.
  package struct Candidate: Hashable, Sendable {
    package var process: ProcessDescription
    /// The daemon above it, or itself, and the directory that this stands in.
    package var supervisor: Supervisor?

    package struct Supervisor: Hashable, Sendable {
      package var pid: Int32
      package var directory: String?
      package init(pid: Int32, directory: String?) {
        self.pid = pid
        self.directory = directory
      }
    }

    package init(_ process: ProcessDescription, supervisor: Supervisor? = nil) {
      self.process = process
      self.supervisor = supervisor
    }
  }

  /// - Parameter caller: the process that asks, and those above it.
  package init(_ candidates: [Candidate], caller: [Int32]) {
    for candidate in candidates {
      let process = candidate.process
      if let reason = Self.refusal(candidate, caller: caller) {
        refusals.append("\(process) is spared: \(reason)")
        continue
      }
      chosen.append(process)
      if process.unit.hasSuffix(".service") {
        advice.append(
          "pid \(process.pid) belongs to \(process.unit), which may start it again: stop that instead")
      }
    }
  }

  private static func refusal(_ candidate: Candidate, caller: [Int32]) -> String? {
    let pid = candidate.process.pid
    if pid == 1 { return "it is PID 1; stop its socket unit instead" }
    // Where everything is below one daemon, the command too, that says nothing about who launches it again.
    if let supervisor = candidate.supervisor, !caller.contains(supervisor.pid) || supervisor.pid == pid {
      let place = supervisor.directory.map { " in \(ProcessTable.printable($0))" } ?? ""
      return "it belongs to fdsupervisord, pid \(supervisor.pid); use fdsupervisorctl stop --close\(place)"
    }
    if pid == caller.first { return "it is this command" }
    if caller.contains(pid) { return "this command was started by it; end it yourself: kill \(pid)" }
    return nil
  }
}

extension RemovalPlan {
  private static let daemonName = "fdsupervisord"

  /// Looks at the processes that hold something, and decides.
  package init(holders pids: some Sequence<Int32>) {
    let candidates = Set(pids).sorted().compactMap { pid in
      ProcessDescription.of(pid).map { Candidate($0, supervisor: Self.supervisor(of: pid)) }
    }
    self.init(candidates, caller: [getpid()] + ProcessTable.ancestors(of: getpid()).map(\.pid))
  }

  /// The daemon that is the process or above it.
  private static func supervisor(of pid: Int32) -> Candidate.Supervisor? {
    guard let own = ProcessTable.stat(of: pid) else { return nil }
    guard let daemon = ([own] + ProcessTable.ancestors(of: pid)).first(where: { $0.name == daemonName })
    else {
      return nil
    }
    var link = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/\(daemon.pid)/cwd", &link, link.count)
    let directory = String(decoding: link.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return .init(pid: daemon.pid, directory: length > 0 ? directory : nil)
  }
}
