// `doctor`: shows on this machine, with a child that really escapes, what the promises rest on.

import Glibc
import Supervisor

/// Starts a process that leaves its session and its parent, and looks whether it is found and removed.
final class EscapeTrial {
  private let keeper: Keeper
  private let began = Clock.now()
  private let onEnd: (DoctorReply.Finding) -> Void
  private var source: EventSource?
  private var found = 0

  /// The main process ends at once; what it started lives on in a session of its own, without a parent.
  private static let script = "(setsid sleep 60 & ) ; exec sleep 0"

  /// - Parameter onEnd: called when the keeper was reaped: `reaped()` has to be called then.
  init(
    program: String, devNull: CInt, loop: EventLoop, onEnd: @escaping (DoctorReply.Finding) -> Void
  ) throws(SystemError) {
    self.onEnd = onEnd
    let request = LaunchRequest(
      service: "doctor", generation: 1, arguments: ["sh", "-c", Self.script],
      environment: ["PATH=/usr/bin:/bin"], programs: ["/bin/sh"])
    keeper = try Keeper(program: program, request: request, descriptors: [devNull, devNull, devNull])
    source = try loop.watch(keeper.connection, priority: .processes) { [weak self] _ in self?.hear() }
  }

  deinit { source?.cancel() }

  var pid: Int32 { keeper.pid }

  private func hear() {
    while let message = keeper.receive() {
      if case .exited = message { sweep() }
    }
  }

  private func sweep() {
    Descendants.visit(.below(keeper.pid)) { stray in
      do throws(SystemError) {
        _ = try PidFD.open(stray.stat.identity).send(SIGKILL)
        found += 1
      } catch {
        // Gone by itself: not found, then.
      }
    }
  }

  /// The keeper is gone: its tree is empty.
  func reaped() {
    source?.cancel()
    let took = (Clock.now() - began).text
    let ok = found > 0
    onEnd(
      .init(
        name: "escape", ok: ok,
        message: ok
          ? "a process that left its session and its parent was found below its keeper and removed, in \(took)"
          : "a process that left its session and its parent was not found; is CONFIG_PROC_CHILDREN missing?"))
  }
}

extension Daemon {
  func answerDoctor(_ call: ControlCall) {
    var findings =
      Examination.findings(keeper: programs.keeper, table: socketTable, log: logs.place)
      + unit.findings(sockets.all)
    findings.append(cgroupFinding)
    let key = requests.newKey()
    do throws(SystemError) {
      let trial = try EscapeTrial(program: programs.keeper, devNull: devNull.number, loop: loop) {
        [weak self] finding in
        findings.append(finding)
        call.reply(DoctorReply(findings: findings))
        self?.requests.end(key)
      }
      requests.keep(trial, under: key)
      otherChildren[trial.pid] = { [weak trial] in trial?.reaped() }
    } catch {
      findings.append(.init(name: "escape", ok: false, message: error.description))
      call.reply(DoctorReply(findings: findings))
    }
  }
}

extension Daemon {
  /// Not needed, unless a service has a limit that only a cgroup can keep.
  private var cgroupFinding: DoctorReply.Finding {
    let unmet = runtimes.compactMap { runtime in
      cgroups.unmet(runtime.definition.resources).map { "service \(runtime.definition.name): \($0)" }
    }
    return .init(
      name: "cgroups", ok: unmet.isEmpty, message: ([cgroups.description] + unmet).joined(separator: "; "))
  }
}

/// What can be seen without starting anything.
enum Examination {
  static func findings(keeper: String, table: SocketTable, log: LogContext.Place) -> [DoctorReply.Finding] {
    [kernel, children, program(keeper), sockets(table), rights, descriptors, journal(log)]
  }

  private static var kernel: DoctorReply.Finding {
    let release =
      contents(ofSmallFile: "/proc/sys/kernel/osrelease").map { String(decoding: $0, as: UTF8.self) } ?? "?"
    return .init(name: "kernel", ok: true, message: "Linux \(release.filter { !$0.isNewline })")
  }

  private static var children: DoctorReply.Finding {
    let ok = access("/proc/self/task/\(getpid())/children", R_OK) == 0
    return .init(
      name: "descendants", ok: ok,
      message: ok
        ? "the kernel lists the children of a process (CONFIG_PROC_CHILDREN)"
        : "this kernel lacks CONFIG_PROC_CHILDREN: strays can't be found")
  }

  private static func program(_ keeper: String) -> DoctorReply.Finding {
    let ok = access(keeper, X_OK) == 0
    return .init(name: "keeper", ok: ok, message: ok ? keeper : SystemError("execute", keeper).description)
  }

  private static func sockets(_ table: SocketTable) -> DoctorReply.Finding {
    do throws(SystemError) {
      return .init(
        name: "sockets", ok: true, message: "\(try table.allPorts().count) listeners in the socket table")
    } catch {
      return .init(name: "sockets", ok: false, message: error.description)
    }
  }

  private static var rights: DoctorReply.Finding {
    let isRoot = geteuid() == 0
    return .init(
      name: "rights", ok: isRoot,
      message: isRoot
        ? "root: the descriptors of every process can be read"
        : "not root: the holders of a port that belong to other users can't be named")
  }

  private static var descriptors: DoctorReply.Finding {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let services = Int(clamping: limit.rlim_cur) / 4
    return .init(
      name: "descriptors", ok: services >= 100,
      message: "\(limit.rlim_cur) open files: enough for some \(services) services")
  }

  private static func journal(_ place: LogContext.Place) -> DoctorReply.Finding {
    let listens = access("/run/systemd/journal/socket", W_OK) == 0
    let message =
      switch (listens, place) {
      case (true, .journal): "journald listens, and the daemon logs there"
      case (true, .elsewhere):
        "journald listens; the daemon logs to its standard error, which does not lead there"
      case (false, .journal): "journald is away: what is logged waits for it"
      case (false, .elsewhere): "no journald: output goes to the daemon's own output"
      }
    return .init(name: "journal", ok: true, message: message)
  }
}
