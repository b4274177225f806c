// Signals the strays of one generation, each through a pidfd whose identity was checked. It decides nothing.

import CLinux
import Glibc
import Supervisor

/// The hands of one sweep: pidfds of the strays that were found, and the signals they get.
package final class Sweeper {
  private let loop: EventLoop
  private let onExit: (Int32) -> Void
  private var watched: [ProcessIdentity: Watched] = [:]

  /// Beyond this many, strays are signalled without being watched: the end of the tree tells as much.
  private static let watchLimit = 256
  /// One call stops for the loop's sake after that time; the machine calls again.
  private static let roundBudget: Duration = .milliseconds(40)

  private final class Watched {
    let pidfd: PidFD
    var source: EventSource?
    init(_ pidfd: consuming PidFD) { self.pidfd = pidfd }
  }

  /// - Parameter onExit: called once for each watched stray that ends, with its pid.
  package init(loop: EventLoop, onExit: @escaping (Int32) -> Void) {
    self.loop = loop
    self.onExit = onExit
  }

  /// SIGTERM, and SIGCONT so that a stopped process takes notice.
  ///
  /// - Returns: those that could not be signalled, with the reason.
  package func terminate(_ strays: [ProcessIdentity]) -> [SystemError] {
    strays.flatMap { identity in
      watch(identity)
      return send([SIGTERM, SIGCONT], to: identity)
    }
  }

  /// Stops everybody below the roots until a look finds nobody new, so that nobody can fork any more, then kills all.
  ///
  /// - Parameters:
  ///   - main: the pidfd of the main process, whose process group is killed in one step, which no fork outruns:
  ///     a fork in a group with a pending signal starts over (Linux, copy_process()).
  ///   - look: everybody alive of the generation, now.
  package func killAll(main: Keeper.MainProcess?, look: () -> [Descendant]) -> (
    found: [Descendant], errors: [SystemError]
  ) {
    let end = Clock.now() + Self.roundBudget
    var errors: [SystemError] = []
    if let main {
      do { _ = try main.pidfd.send(SIGKILL, to: .processGroup) } catch  where error.code == EINVAL {
        // Before Linux 6.9 there are no process groups here; the rounds below do without.
      } catch { errors.append(error) }
    }
    var found: [ProcessIdentity: Descendant] = [:]
    repeat {
      let new = look().filter { found[$0.stat.identity] == nil }
      if new.isEmpty { break }
      for descendant in new {
        found[descendant.stat.identity] = descendant
        errors += send([SIGSTOP], to: descendant.stat.identity)
      }
    } while Clock.now() < end
    for identity in found.keys {
      watch(identity)
      errors += send([SIGKILL], to: identity)
    }
    return (found.values.sorted { $0.stat.pid < $1.stat.pid }, errors)
  }

  private func send(_ signals: [Int32], to identity: ProcessIdentity) -> [SystemError] {
    do {
      if let known = watched[identity] {
        for signal in signals { _ = try known.pidfd.send(signal) }
      } else {
        let pidfd = try PidFD.open(identity)
        for signal in signals { _ = try pidfd.send(signal) }
      }
      return []
    } catch {
      return error.code == ESRCH ? [] : [error]
    }
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
