// Signals the strays of one generation, each through a pidfd whose identity was checked. It decides nothing.

import CLinux
import Glibc
import Supervisor

/// The hands of one sweep: pidfds of the strays that were found, and the signals they get.
package final class Sweeper {
  private let loop: EventLoop
  private let onExit: (Int32) -> Void
  private var watched: [ProcessIdentity: Watched] = [:]
  /// Those who got SIGSTOP and wait, unable to fork, until nobody else can: then all are killed together.
  private var frozen: [ProcessIdentity: Descendant] = [:]
  private var freezeEnd: Instant?
  private var pace = Pace.ordinary

  /// Beyond this many, strays are signalled without being watched: the end of the tree tells as much.
  private static let watchLimit = 256
  /// One call stops for the loop's sake after that time; the machine calls again.
  private static let roundBudget: Duration = .milliseconds(40)
  /// A tree that grows for so long while it is being stopped is killed as far as it is known.
  private static let freezeBudget: Duration = .seconds(1)

  /// So many strays may be breeders: before more than that are looked at, `hasten()`.
  package static let crowd = 64

  /// Thousands of breeders that can run leave an ordinary process no time to stop them.
  private enum Pace { case ordinary, hastened }

  private final class Watched {
    let pidfd: PidFD
    var source: EventSource?
    init(_ pidfd: consuming PidFD) { self.pidfd = pidfd }
    deinit { source?.cancel() }
  }

  deinit { slacken() }

  /// - Parameter onExit: called once for each watched stray that ends, with its pid.
  package init(loop: EventLoop, onExit: @escaping (Int32) -> Void) {
    self.loop = loop
    self.onExit = onExit
  }

  /// Why a process could not be signalled.
  package typealias Refusals = [ProcessIdentity: SystemError]

  /// SIGTERM, and SIGCONT so that a stopped process takes notice.
  package func terminate(_ strays: [ProcessIdentity]) -> Refusals {
    var refusals: Refusals = [:]
    for identity in strays {
      watch(identity)
      refusals[identity] = send([SIGTERM, SIGCONT], to: identity)
    }
    return refusals
  }

  /// Tells when these end, who had their SIGTERM before.
  package func attend(_ strays: [ProcessIdentity]) { strays.forEach { watch($0) } }

  /// What one round of killing came to.
  package struct Round {
    /// Everybody who was met, killed or stopped.
    package var found: [Descendant]
    package var refusals: Refusals
  }

  /// Stops everybody until a walk meets nobody new, so that nobody can fork any more, then kills all.
  ///
  /// One round takes about 40 ms at most; a tree that breeds faster stays stopped as far as it is known, and the
  /// next round goes on from there.
  /// - Parameters:
  ///   - main: the pidfd of the main process, whose process group is killed in one step, which no fork outruns:
  ///     a fork in a group with a pending signal starts over (Linux, copy_process()).
  ///   - walk: tells everybody alive of the generation, each before his children are read.
  package func killAll(main: Keeper.MainProcess?, walk: ((Descendant) -> Void) -> Void) -> Round {
    let now = Clock.now()
    let end = now + Self.roundBudget
    let freezeEnd = self.freezeEnd ?? now + Self.freezeBudget
    self.freezeEnd = freezeEnd
    hasten()
    if let main { killGroup(of: main) }
    var refusals: Refusals = [:]
    var isStopped = false
    repeat {
      isStopped = true
      walk { descendant in
        let identity = descendant.stat.identity
        guard frozen.updateValue(descendant, forKey: identity) == nil else { return }
        refusals[identity] = send([SIGSTOP], to: identity)
        isStopped = false
      }
    } while !isStopped && Clock.now() < end
    // The deepest first: who is stopped would be continued by the death of a parent (a newly orphaned process
    // group, setpgid(2)).
    let found = frozen.values.sorted { ($1.depth, $0.stat.pid) < ($0.depth, $1.stat.pid) }
    guard isStopped || Clock.now() >= freezeEnd else { return Round(found: found, refusals: refusals) }
    for descendant in found {
      watch(descendant.stat.identity)
      refusals[descendant.stat.identity] = send([SIGKILL], to: descendant.stat.identity)
    }
    frozen = [:]
    self.freezeEnd = nil
    slacken()
    return Round(found: found, refusals: refusals)
  }

  /// Goes before all ordinary processes, if it may, until everybody is killed or this sweeper is dropped.
  package func hasten() {
    if pace == .ordinary, cl_hasten() == 0 { pace = .hastened }
  }

  private func slacken() {
    if pace == .hastened, cl_slacken() == 0 { pace = .ordinary }
  }

  private func killGroup(of main: Keeper.MainProcess) {
    do throws(SystemError) { _ = try main.pidfd.send(SIGKILL, to: .processGroup) } catch {
      // EINVAL before Linux 6.9; EPERM when none of the group may be signalled: one by one it is, then.
    }
  }

  /// nil when it was sent, or when there is nobody to send it to.
  private func send(_ signals: [Int32], to identity: ProcessIdentity) -> SystemError? {
    do {
      if let known = watched[identity] {
        for signal in signals { _ = try known.pidfd.send(signal) }
      } else {
        let pidfd = try PidFD.open(identity)
        for signal in signals { _ = try pidfd.send(signal) }
      }
      return nil
    } catch {
      return error.code == ESRCH ? nil : error
    }
  }

  /// Tells when these end, whom somebody else kills.
  package func attend(_ strays: [Descendant]) {
    for descendant in strays { watch(descendant.stat.identity) }
  }

  private func watch(_ identity: ProcessIdentity) {
    guard watched[identity] == nil, watched.count < Self.watchLimit else { return }
    do {
      let entry = Watched(try PidFD.open(identity))
      entry.source = try loop.watch(entry.pidfd.descriptor.number, priority: .processes) { [weak self] _ in
        self?.exited(identity)
      }
      watched[identity] = entry
    } catch {
      // Gone already, or no descriptor to be had: the end of the tree tells in any case.
    }
  }

  private func exited(_ identity: ProcessIdentity) {
    // A pidfd becomes readable when the process is a zombie, and stays so.
    guard watched.removeValue(forKey: identity) != nil else { return }
    onExit(identity.pid)
  }
}
