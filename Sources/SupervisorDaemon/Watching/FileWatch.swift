// Tells of changes below a folder, each burst once: the tree of folders, the debounce, and the loop put together.

import Glibc
import Supervisor

/// Watches files for one service.
///
/// Between changes it makes no system call.
package final class FileWatch {
  package let definition: WatchDefinition
  private let loop: EventLoop
  private let onNews: (News) -> Void
  private let tree: FolderTree
  private var debounce: ChangeDebounce
  private var toldBeginning = false
  private var source: EventSource?
  private var timer: EventSource?
  /// The folder was removed or moved: it has to be watched anew.
  package private(set) var isOver = false

  package enum News {
    /// A burst began in which this file, at least, changed; told once, and as soon as it is certain.
    case began(String)
    /// A burst is over; nil when nothing of it counts.
    case ended(FileChange?)
    /// Something is not watched; one line.
    case remark(String)
  }

  /// - Parameter onNews: never called before the loop turns.
  package init(
    _ definition: WatchDefinition, loop: EventLoop, onNews: @escaping (News) -> Void
  ) throws(SystemError) {
    self.definition = definition
    self.loop = loop
    self.onNews = onNews
    debounce = ChangeDebounce(delay: definition.delay)
    tree = try FolderTree(definition)
    source = try loop.watch(tree.number) { [weak self] _ in self?.read() }
  }

  deinit { source?.cancel() }

  /// How many folders are watched.
  package var count: Int { tree.count }

  /// Files are changing, or have changed a moment ago: what is launched now may meet half of them.
  package var isUnsettled: Bool { debounce.due != nil }

  private func read() {
    let now = Clock.now()
    do throws(SystemError) {
      try tree.read { event in take(event, at: now) }
    } catch {
      end("\(error)")
    }
    for remark in takeRemarks() { onNews(.remark(remark)) }
    arm()
    guard !toldBeginning, let file = debounce.certain else { return }
    toldBeginning = true
    onNews(.began(file))
  }

  private func take(_ event: FolderTree.Event, at now: Instant) {
    switch event {
    case .file(let kind, let names): debounce.note(kind, Self.text(names), at: now)
    case .lost: debounce.noteLoss(at: now)
    case .rootGone: end("the watched folder \(definition.folder) was removed or moved")
    }
  }

  private func end(_ reason: String) {
    guard !isOver else { return }
    isOver = true
    source?.cancel()
    onNews(.remark("\(reason); changes are not seen until the service is started again"))
  }

  /// Names as the log shows them.
  private static func text(_ names: PathNames) -> String {
    ProcessTable.printable(names.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/"))
  }

  private func arm() {
    let wasUnsettled = timer != nil
    timer = nil
    guard let due = debounce.due else {
      // All that it was about is gone again.
      if wasUnsettled { onNews(.ended(nil)) }
      return
    }
    do throws(SystemError) {
      timer = try loop.timer(at: due) { [weak self] in self?.fire() }
    } catch {
      onNews(.remark("\(error); the change is told at once"))
      fire()
    }
  }

  private func fire() {
    timer = nil
    // What the kernel has to tell by now belongs to the burst.
    if !isOver { read() }
    if let due = debounce.due, due > Clock.now() { return }
    timer = nil
    toldBeginning = false
    onNews(.ended(debounce.take()))
  }

  /// Folders that are named when they can't be watched.
  private static let namedFolders = 3

  /// What is not watched, and what to do about it; each time since the last call.
  package func takeRemarks() -> [String] {
    let shortfalls = tree.takeShortfalls()
    var remarks: [String] = []
    if shortfalls.contains(where: { $0.code == ENOSPC }) {
      remarks.append(
        "watches \(tree.count) folders below \(definition.folder) and cannot watch more: "
          + SystemError.text(ENOSPC) + Self.remedy(for: ENOSPC))
    }
    let others = shortfalls.filter { $0.code != ENOSPC }
    for shortfall in others.prefix(Self.namedFolders) {
      remarks.append("\(SystemError("watch", shortfall.folder, code: shortfall.code))")
    }
    if others.count > Self.namedFolders {
      remarks.append("cannot watch \(others.count - Self.namedFolders) further folders")
    }
    return remarks
  }

  /// "; raise …", or "".
  static func remedy(for code: Int32) -> String {
    func limit(_ name: String, _ what: String, enough: Int) -> String {
      let text = contents(ofSmallFile: "/proc/sys/fs/inotify/\(name)").map {
        String(decoding: $0, as: UTF8.self)
      }
      let now = text.flatMap { Int($0.prefix { $0.isNumber }) }
      let wanted = max(enough, 2 * (now ?? 0))
      return "; \(what) is reached\(now.map { " (\($0))" } ?? ""): sysctl fs.inotify.\(name)=\(wanted)"
    }
    switch code {
    case ENOSPC:
      return limit("max_user_watches", "the limit of inotify watches of a user", enough: 524_288)
        + ", or ignore folders (watch_ignore)"
    case EMFILE:
      return limit("max_user_instances", "the limit of inotify instances of a user", enough: 1024)
        + ", or the daemon's limit of open files (ulimit -n)"
    default: return ""
    }
  }
}
