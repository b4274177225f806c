// Many events become one change: it is told when it is quiet, and no save is half done. Pure.

import Supervisor

/// What happened to files since the last change that was told.
package struct FileChange: Hashable, Sendable {
  /// The first ones, relative to the watched folder.
  package var files: [String]
  package var count: Int
  /// The only file, and it is no more.
  package var isRemoval = false

  package init(files: [String], count: Int, isRemoval: Bool = false) {
    self.files = files
    self.count = count
    self.isRemoval = isRemoval
  }

  /// "server.py changed", "3 files changed: a.py, b.py, c.py".
  package var text: String {
    guard count > 1 else {
      guard let file = files.first else { return "too many files changed for the kernel to tell which" }
      return isRemoval ? "\(file) was removed" : "\(file) changed"
    }
    let names = files.prefix(Self.namedFiles).joined(separator: ", ")
    return "\(count) files changed: \(names)\(count > Self.namedFiles ? ", …" : "")"
  }

  private static let namedFiles = 3
}

/// Collects the events of a burst.
///
/// Editors save by steps: they move the old file away, or remove it, and write a new one; with fsync(2) in between
/// that takes a while. As long as a file is gone, or being written, the burst has more time.
package struct ChangeDebounce {
  package enum Kind: Hashable {
    /// It was created and is not complete: whoever writes it will close it.
    case begun
    case written
    case gone
  }

  private struct Entry {
    var kind: Kind
    /// It was not there before this burst.
    var isNew: Bool
  }

  private let delay: Duration
  private var entries: [String: Entry] = [:]
  /// In the order in which they came.
  private var names: [String] = []
  private var further = 0
  private var first: Instant?
  private var last = Instant(nanoseconds: 0)

  /// A file that is gone or not complete has so many times the delay.
  package static let patience = 5
  /// Whoever goes on changing files hears of it after so many times the delay.
  package static let longest = 10
  /// Files of one burst that are told apart.
  package static let distinct = 4096

  package init(delay: Duration) { self.delay = delay }

  package mutating func note(_ kind: Kind, _ file: String, at now: Instant) {
    if let known = entries[file] {
      if kind == .gone, known.isNew {
        // Somebody's temporary file: it came and went.
        entries[file] = nil
        names.removeAll { $0 == file }
        if entries.isEmpty, further == 0 { first = nil }
        return
      }
      // Between its end and its beginning anew nothing is complete.
      entries[file]?.kind = kind
    } else if entries.count < Self.distinct {
      entries[file] = Entry(kind: kind, isNew: kind == .begun)
      names.append(file)
    } else {
      further += 1
    }
    if first == nil { first = now }
    last = now
  }

  /// The kernel lost events: something changed.
  package mutating func noteLoss(at now: Instant) {
    further += 1
    if first == nil { first = now }
    last = now
  }

  /// A file that was there before, and is complete: whatever follows, something changed.
  package var certain: String? {
    names.first { name in entries[name].map { $0.kind == .written && !$0.isNew } ?? false }
  }

  /// When the burst is over, unless something comes until then; nil when nothing happened.
  package var due: Instant? {
    guard let first else { return nil }
    let isComplete = entries.values.allSatisfy { $0.kind == .written }
    return min(last + (isComplete ? delay : delay * Self.patience), first + delay * Self.longest)
  }

  /// Ends the burst; nil when nothing of it counts.
  ///
  /// A file that was only created is one that somebody still writes: it counts when it is closed.
  package mutating func take() -> FileChange? {
    defer { self = ChangeDebounce(delay: delay) }
    let changed = names.filter { entries[$0]?.kind != .begun }
    let count = changed.count + further
    guard count > 0 else { return nil }
    return FileChange(
      files: Array(changed.prefix(16)), count: count,
      isRemoval: count == 1 && changed.first.flatMap { entries[$0]?.kind } == .gone)
  }
}
