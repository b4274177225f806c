// Reads the files of a configuration: the first, those it includes, and environment files.

import Glibc
import Supervisor

struct ConfigurationReader {
  let diagnostics: Diagnostics
  private(set) var draft = ConfigurationDraft()
  /// True when every file could be read and is TOML: only then nothing is missing from the draft.
  private(set) var isComplete = true
  private var paths: [FileIdentity: String] = [:]
  private var fileCount = 0

  private let sources: ConfigurationSources

  private static let deepestInclude = 8

  init(_ diagnostics: Diagnostics, _ sources: ConfigurationSources) {
    self.diagnostics = diagnostics
    self.sources = sources
  }

  /// Reads a file and what it includes.
  ///
  /// `includer` is nil for the first file.
  mutating func read(_ path: String, includedAt includer: SourceSpan?, depth: Int = 0) {
    let order = nextOrder()
    guard
      let (file, identity) = open(
        path, order,
        { [diagnostics] problem in
          diagnostics.error(problem, file: escaped(path), order: order)
        })
    else {
      isComplete = false
      return
    }
    if let first = paths.updateValue(file.path, forKey: identity), let includer {
      diagnostics.error("\(file.path) is included twice, first as \(first)", at: includer)
      return
    }
    guard let root = TOMLParser.parse(file, diagnostics) else {
      isComplete = false
      return
    }
    draft.includes = []
    ConfigurationDraft.table.read(root, "", into: &draft, diagnostics)
    for pattern in draft.includes { include(pattern, fromFolderOf: path, depth: depth + 1) }
  }

  /// Reads the environment files of all services.
  mutating func readEnvironmentFiles() {
    for index in draft.services.indices {
      guard let named = draft.services[index].environmentFile else { continue }
      let order = nextOrder()
      guard
        let (file, _) = open(
          named.value, order,
          { [diagnostics] problem in
            diagnostics.error(problem, at: named.span)
          })
      else { continue }
      let entries = EnvironmentFile.entries(of: file, diagnostics)
      draft.services[index].environment.insert(contentsOf: entries, at: 0)
    }
  }

  // MARK: One file

  private mutating func nextOrder() -> Int {
    fileCount += 1
    return fileCount
  }

  /// A file as text; nil after telling `report` why not, or reporting bytes that are no text at their place.
  private func open(
    _ path: String, _ order: Int, _ report: (String) -> Void
  ) -> (SourceFile, FileIdentity)? {
    do throws(UnreadableFile) {
      let (bytes, identity) = try sources.read(path)
      let folder = sources.absolute(Self.folder(of: path))
      guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
        let readable = SourceFile(
          path: escaped(path), folder: folder, order: order, text: String(decoding: bytes, as: UTF8.self))
        reportFirstWrongByte(of: bytes, readable)
        return nil
      }
      return (SourceFile(path: escaped(path), folder: folder, order: order, text: text), identity)
    } catch {
      report(error.description)
      return nil
    }
  }

  private func reportFirstWrongByte(of bytes: [UInt8], _ file: SourceFile) {
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var (line, column) = (1, 1)
    while true {
      var problem = "the file contains a NUL byte"
      switch decoder.decode(&iterator) {
      case .scalarValue("\n"): (line, column) = (line + 1, 1)
      case .scalarValue(let scalar) where scalar != "\0": column += 1
      case .emptyInput: return
      case .error:
        problem = "the file is not UTF-8"
        fallthrough
      case .scalarValue:
        diagnostics.error(problem, at: SourceSpan(file: file, line: line, column: column, length: 1))
        return
      }
    }
  }

  // MARK: Includes

  private mutating func include(_ pattern: Located<String>, fromFolderOf path: String, depth: Int) {
    if depth > Self.deepestInclude {
      diagnostics.error("includes are nested deeper than \(Self.deepestInclude) levels", at: pattern.span)
      return
    }
    let matches = files(matching: pattern.value, in: Self.folder(of: path))
    if matches.isEmpty, !pattern.value.contains(where: { "*?[".contains($0) }) {
      isComplete = false
      diagnostics.error(
        "cannot include \(quoted(pattern.value)): \(SystemError.text(ENOENT))", at: pattern.span)
    }
    for match in matches { read(match, includedAt: pattern.span, depth: depth) }
  }

  /// In name order, glob(3).
  ///
  /// The folder is taken literally, whatever characters it has.
  private func files(matching pattern: String, in folder: String) -> [String] {
    var literal = ""
    if !pattern.hasPrefix("/") {
      for scalar in folder.unicodeScalars {
        if "*?[\\".unicodeScalars.contains(scalar) { literal += "\\" }
        literal.unicodeScalars.append(scalar)
      }
    }
    return sources.paths(matching: literal + pattern)
  }

  /// "conf.d/" of "conf.d/a.toml", "" of "a.toml".
  private static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
  }
}
