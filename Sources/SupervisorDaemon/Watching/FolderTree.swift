// The folders below a root that inotify(7) watches: those that come are entered, those that go are forgotten.
// What an event means for a service is FileWatch's.

import CLinux
import Glibc
import Supervisor

/// One inotify instance, and a watch for each folder in which something could count.
///
/// Only folders are watched: the cost does not grow with the number of files.
final class FolderTree {
  enum Event: Hashable {
    case file(ChangeDebounce.Kind, PathNames)
    /// The queue was full (fs.inotify.max_queued_events): the folders are right again, files are not told.
    case lost
    /// The root was removed or moved: nothing is watched any more.
    case rootGone
  }

  /// Why some folders are not watched.
  struct Shortfall: Hashable {
    var folder: String
    var code: Int32
  }

  private final class Folder {
    let name: [UInt8]
    private(set) weak var parent: Folder?
    var children: [[UInt8]: Folder] = [:]
    /// -1: not watched (yet).
    var watch: Int32 = -1
    var patterns: PatternList?

    init(_ name: [UInt8], in parent: Folder?) {
      self.name = name
      self.parent = parent
    }
  }

  private let inotify: FileDescriptor
  private let rootPath: String
  private let filter: WatchFilter
  private let usesGitignore: Bool
  private let outerRules: [FolderRules]
  private let root = Folder([], in: nil)
  private var folders: [Int32: Folder] = [:]
  /// Since the last call of `takeShortfalls`.
  private var shortfalls: [Shortfall] = []

  /// Watches the folder and what is below it.
  init(_ definition: WatchDefinition) throws(SystemError) {
    var path = definition.folder
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    rootPath = path
    inotify = FileDescriptor(owning: try retrying("watch", path) { cl_inotify() })
    filter = WatchFilter(definition)
    usesGitignore = definition.usesGitignore
    outerRules = usesGitignore ? GitignoreFiles.above(path) : []
    scan(root, reporting: nil)
    if root.watch == -1 { throw SystemError("watch", path, code: shortfalls.first?.code ?? ENOENT) }
  }

  /// For the loop; readable when something happened.
  var number: CInt { inotify.number }

  var count: Int { folders.count }

  func takeShortfalls() -> [Shortfall] {
    defer { shortfalls = [] }
    return shortfalls
  }

  // Where a folder is, and what the .gitignore files above it say.

  private func path(of folder: Folder) -> PathNames {
    var names: PathNames = []
    var place = folder
    while let parent = place.parent {
      names.append(place.name)
      place = parent
    }
    return names.reversed()
  }

  private func rules(of folder: Folder) -> [FolderRules] {
    var lists: [PatternList?] = [folder.patterns]
    var place = folder
    while let parent = place.parent {
      lists.append(parent.patterns)
      place = parent
    }
    let inner = lists.reversed().enumerated().compactMap { depth, patterns in
      patterns.map { FolderRules(depth: depth, patterns: $0) }
    }
    return outerRules + inner
  }

  private func systemPath(_ names: PathNames) -> [UInt8] {
    var bytes = Array(rootPath.utf8)
    for name in names {
      if bytes.last != UInt8(ascii: "/") { bytes.append(UInt8(ascii: "/")) }
      bytes += name
    }
    return bytes + [0]
  }

  private func withSystemPath<Result>(_ names: PathNames, _ body: (UnsafePointer<CChar>) -> Result) -> Result
  {
    systemPath(names).withUnsafeBytes { bytes in
      guard let start = bytes.bindMemory(to: CChar.self).baseAddress else {
        preconditionFailure("a path has at least its end")
      }
      return body(start)
    }
  }

  // The walk. A folder is watched before it is read: what comes in between is told twice, not never.

  private struct Visit {
    var folder: Folder
    var path: PathNames
    var rules: [FolderRules]
  }

  /// Makes the watches below a folder what they should be, whatever they were.
  ///
  /// - Parameter reporting: told of all files that count; nil when they are no news.
  private func scan(_ start: Folder, reporting: ((Event) -> Void)?) {
    let above = start.parent.map { rules(of: $0) } ?? outerRules
    var work = [Visit(folder: start, path: path(of: start), rules: above)]
    while var visit = work.popLast() {
      guard watch(visit) else {
        forget(visit.folder)
        // No further one could be watched either.
        if shortfalls.last?.code == ENOSPC { return }
        continue
      }
      let entries = list(visit, onlyFolders: reporting == nil)
      visit.folder.patterns =
        usesGitignore && entries.hasRules
        ? GitignoreFiles.read(text(visit.path + [GitignoreFiles.name])) : nil
      if let patterns = visit.folder.patterns {
        visit.rules.append(FolderRules(depth: visit.path.count, patterns: patterns))
      }
      if let reporting {
        for name in entries.files where filter.counts(visit.path + [name], visit.rules) {
          reporting(.file(.written, visit.path + [name]))
        }
      }
      work += enter(entries.folders, of: visit)
    }
  }

  /// The visits of those folders in a folder where something could count; the others are forgotten.
  private func enter(_ names: [[UInt8]], of visit: Visit) -> [Visit] {
    let entered = Set(names.filter { filter.enters(visit.path + [$0], visit.rules) })
    for (name, child) in visit.folder.children where !entered.contains(name) { forget(child) }
    return entered.map { name in
      let child = visit.folder.children[name] ?? Folder(name, in: visit.folder)
      visit.folder.children[name] = child
      return Visit(folder: child, path: visit.path + [name], rules: visit.rules)
    }
  }

  /// False when the folder is gone, can't be watched, or is one that is watched at another place (a bind mount).
  private func watch(_ visit: Visit) -> Bool {
    let number = inotify.number
    let isRoot = visit.folder === root
    let watch = withSystemPath(visit.path) { cl_watch_folder(number, $0, isRoot) }
    if watch == -1 {
      note(errno, visit)
      return false
    }
    if let known = folders[watch], known !== visit.folder { return false }
    if visit.folder.watch != watch {
      folders[visit.folder.watch] = nil
      visit.folder.watch = watch
      folders[watch] = visit.folder
    }
    return true
  }

  private func note(_ code: Int32, _ visit: Visit) {
    // It went, or became something else, while it was on its way here.
    if visit.folder !== root, [ENOENT, ENOTDIR, ELOOP].contains(code) { return }
    shortfalls.append(Shortfall(folder: text(visit.path), code: code))
  }

  private func text(_ names: PathNames) -> String {
    String(decoding: systemPath(names).dropLast(), as: UTF8.self)
  }

  private struct Entries {
    var folders: [[UInt8]] = []
    var files: [[UInt8]] = []
    var hasRules = false
  }

  private func list(_ visit: Visit, onlyFolders: Bool) -> Entries {
    var entries = Entries()
    let result = withSystemPath(visit.path) { path in
      withUnsafeMutablePointer(to: &entries) { entries in
        cl_visit_folder(path, onlyFolders, entries) { context, name, length, isFolder in
          guard let entries = context?.assumingMemoryBound(to: Entries.self), let name else { return }
          let bytes = Array(UnsafeRawBufferPointer(start: name, count: length))
          if isFolder { entries.pointee.folders.append(bytes) } else { entries.pointee.files.append(bytes) }
          if bytes == GitignoreFiles.name { entries.pointee.hasRules = true }
        }
      }
    }
    if result == -1 { note(errno, visit) }
    return entries
  }

  /// Nothing in a folder is watched any more.
  private func forget(_ folder: Folder) {
    folder.parent?.children[folder.name] = nil
    var work = [folder]
    while let next = work.popLast() {
      work += next.children.values
      next.children = [:]
      guard next.watch != -1, folders[next.watch] === next else { continue }
      folders[next.watch] = nil
      // EINVAL: the kernel has forgotten it already, and said so.
      _ = cl_unwatch(inotify.number, next.watch)
      next.watch = -1
    }
  }

  // What happens.

  private static let bufferSize = 65536
  /// Buffers that are read before others have their turn.
  private static let rounds = 16

  /// Takes what the kernel has to tell.
  func read(_ report: (Event) -> Void) throws(SystemError) {
    var buffer = [UInt8](repeating: 0, count: Self.bufferSize)
    for _ in 0..<Self.rounds {
      let number = inotify.number
      let count = buffer.withUnsafeMutableBytes { Glibc.read(number, $0.baseAddress, $0.count) }
      if count == -1 {
        if errno == EAGAIN || errno == EINTR { return }
        throw SystemError("read what happened below", rootPath)
      }
      for happening in Self.happenings(buffer[..<count]) { take(happening, report) }
    }
  }

  private struct Happening {
    var watch: Int32
    var kind: cl_file_event
    var name: [UInt8]
  }

  private static func happenings(_ bytes: ArraySlice<UInt8>) -> [Happening] {
    bytes.withUnsafeBytes { bytes in
      var result: [Happening] = []
      var offset = 0
      while offset < bytes.count {
        var (watch, kind, name, length) = (Int32(-1), Int32(-1), UnsafePointer<CChar>?.none, 0)
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        let taken = cl_next_event(rest.baseAddress, rest.count, &watch, &kind, &name, &length)
        if taken == 0 { break }
        offset += taken
        guard kind >= 0 else { continue }
        let bytes = Array(UnsafeRawBufferPointer(start: name, count: length))
        result.append(Happening(watch: watch, kind: cl_file_event(UInt32(kind)), name: bytes))
      }
      return result
    }
  }

  private func take(_ happening: Happening, _ report: (Event) -> Void) {
    if happening.kind == CL_EVENTS_LOST {
      scan(root, reporting: nil)
      return report(root.watch == -1 ? .rootGone : .lost)
    }
    guard let folder = folders[happening.watch] else { return }
    switch happening.kind {
    case CL_WATCH_ENDED:
      if folder === root { report(.rootGone) } else { forget(folder) }
    // Of another folder its parent tells.
    case CL_WATCHED_MOVED: if folder === root { report(.rootGone) }
    case CL_FOLDER_CAME: came(happening.name, in: folder, report)
    case CL_FOLDER_LEFT:
      guard let child = folder.children[happening.name] else { return }
      forget(child)
      report(.file(.gone, path(of: folder) + [happening.name]))
    case CL_FILE_CREATED, CL_FILE_WRITTEN, CL_FILE_GONE:
      changed(happening, in: folder, report)
    default: break
    }
  }

  private func came(_ name: [UInt8], in folder: Folder, _ report: (Event) -> Void) {
    let path = path(of: folder) + [name]
    guard filter.enters(path, rules(of: folder)) else { return }
    if let former = folder.children[name] { forget(former) }
    let child = Folder(name, in: folder)
    folder.children[name] = child
    withoutActuallyEscaping(report) { scan(child, reporting: $0) }
  }

  private func changed(_ happening: Happening, in folder: Folder, _ report: (Event) -> Void) {
    if usesGitignore, happening.name == GitignoreFiles.name, happening.kind != CL_FILE_CREATED {
      scan(folder, reporting: nil)
    }
    let path = path(of: folder) + [happening.name]
    guard filter.counts(path, rules(of: folder)) else { return }
    switch happening.kind {
    case CL_FILE_GONE: report(.file(.gone, path))
    case CL_FILE_CREATED:
      let isComplete = withSystemPath(path) { cl_is_complete($0) }
      if isComplete >= 0 { report(.file(isComplete == 1 ? .written : .begun, path)) }
    default: report(.file(.written, path))
    }
  }
}
