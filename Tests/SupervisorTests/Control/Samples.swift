// Values that several tests of the protocol use.

import Supervisor

enum Samples {
  static let bareStatus = ServiceStatus(
    name: "app", state: .stopped, pid: nil, generation: 0, restarts: 0, since: 1, sockets: [], ports: [])

  static var fullStatus: ServiceStatus {
    var status = ServiceStatus(
      name: "app", state: .backoff, pid: 1, generation: 2, restarts: 1, since: 1, sockets: ["web"],
      ports: ["a"])
    status.lastExit = fullExit
    status.message = "m"
    status.lastLines = ["l"]
    status.retryIn = 5
    status.report = fullReport
    status.memory = 1 << 20
    status.cpu = 5
    status.tasks = 1
    status.retained = []
    return status
  }

  /// Both: no exit has both, but each may have either.
  static var fullExit: LastExit {
    var exit = LastExit(pid: 1, reason: .exited(1))
    exit.signal = "SIGKILL"
    return exit
  }

  static var bareExit: LastExit {
    var exit = LastExit(pid: 1, reason: .exited(1))
    exit.status = nil
    return exit
  }

  static func holder(of service: String?) -> HolderRecord {
    HolderRecord(
      pid: 812, fd: 6, command: "redis-server *:6379", user: "redis", unit: "redis.service",
      terminal: service == nil ? "" : "pts/3", age: 10_920,
      address: "127.0.0.1:6379", inode: 7, service: service, generation: service == nil ? nil : 3)
  }

  /// The report of the documentation.
  static var fullReport: RelaunchReport {
    var report = RelaunchReport(service: "app", generation: 4)
    report.pid = 18311
    report.milliseconds = 12.3
    report.steps.stop = 8
    report.steps.sweep = 1
    report.steps.verify = 0.5
    report.steps.launch = 1
    report.steps.ready = 0.5
    report.stopped = .init(
      pid: 18011, command: "flask run", signals: ["SIGTERM"], outcome: "exit 0", milliseconds: 8.2)
    report.strays = [
      .init(
        pid: 18022, command: "sleep 1000", held: ["127.0.0.1:22222 as fd 4"], remark: "parent 18011 was gone",
        signals: ["SIGTERM"], milliseconds: 1.1)
    ]
    report.verified = [.init(address: "127.0.0.1:22222", kind: .owned, finding: "no descendant holds it")]
    report.queued = 3
    return report
  }
}
