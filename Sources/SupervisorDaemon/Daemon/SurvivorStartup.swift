// The keepers that daemons before this one left, met before the sockets are opened: they may hold those.

import Supervisor

/// Who was met, and the listeners they held.
struct SurvivorStartup {
  let folder: KeeperFolder
  let survivors: [Survivor]
  let listeners: [InheritedSocket]

  /// The folder is beside the control socket, which has to be ours already.
  init(besides control: String, log: DaemonLog) throws(StartupError) {
    do throws(SystemError) {
      folder = try KeeperFolder(path: control + ".keepers")
      survivors = try Survivor.meetAll(in: folder)
    } catch {
      throw StartupError(description: "cannot meet the keepers of a daemon before this one: \(error)")
    }
    var sockets: [InheritedSocket] = []
    for number in survivors.flatMap({ $0.takeListeners() }) {
      switch InheritedSocket.examine(number, name: nil, provenance: .keeper) {
      case .socket(let socket): sockets.append(socket)
      case .notOpen: break
      case .unusable(let why): log.log(.warning, why)
      }
    }
    listeners = sockets
  }

  /// Every generation whose keeper was met: it is taken over, or ended by that.
  var claims: Set<AbandonedSweep.Claim> {
    Set(survivors.map { .init(service: $0.left.service, generation: $0.left.generation) })
  }

  /// The socket for sd_notify(3) that the daemon before this one had.
  ///
  /// The youngest keeper has it: a daemon goes on with that of the one before, or binds another for those it launches.
  func takeNotifySocket() -> FileDescriptor? {
    let held = survivors.filter { $0.left.intent == .held }
    let births = held.map { ProcessTable.stat(of: $0.keeper.pid)?.startTime ?? 0 }
    for (survivor, _) in zip(held, births).sorted(by: { $0.1 > $1.1 }) {
      if let socket = survivor.takeNotifySocket() { return socket }
    }
    return nil
  }
}
