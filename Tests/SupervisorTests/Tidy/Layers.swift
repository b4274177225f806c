// Which folder may use which other folder, and which module. The map is in docs/architecture.md.

struct Layer {
  var folder: String
  /// Folders whose types it may name, beside its own.
  var folders: [String] = []
  var modules: [String] = []
}

enum Layers {
  static let all = [
    Layer(folder: "Supervisor/Model"),
    Layer(folder: "Supervisor/System", folders: ["Model"], modules: ["CLinux", "Glibc"]),
    Layer(
      folder: "Supervisor/Control", folders: ["Model", "System"],
      modules: ["CLinux", "Glibc", "FoundationEssentials"]),
    // Its answers are the protocol's own types: there is one shape of "holder", not two.
    Layer(
      folder: "Supervisor/Ports", folders: ["Model", "System", "Control"], modules: ["CLinux", "Glibc"]),

    Layer(folder: "SupervisorDaemon/Services", folders: ["Model"], modules: ["Supervisor"]),
    // Files are read through the owners of descriptors, too.
    Layer(
      folder: "SupervisorDaemon/Configuration", folders: ["Model", "System"],
      modules: ["Supervisor", "CTOML", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Loop", folders: ["Model", "System"],
      modules: ["Supervisor", "CLinux", "CSystemd", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Systemd", folders: ["Model", "System", "Loop"],
      modules: ["Supervisor", "CLinux", "Glibc"]),
    // Listeners lie in systemd's descriptor store, too.
    Layer(
      folder: "SupervisorDaemon/Sockets", folders: ["Model", "System", "Loop", "Systemd"],
      modules: ["Supervisor", "CLinux", "CSystemd", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Interception", folders: ["Model", "System", "Loop", "Sockets"],
      modules: ["Supervisor", "CLinux", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Watching", folders: ["Model", "System", "Loop"],
      modules: ["Supervisor", "CLinux", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Logs", folders: ["Model", "System", "Loop"],
      modules: ["Supervisor", "CLinux", "CSystemd", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Processes", folders: ["Model", "System", "Loop", "Interception"],
      modules: ["Supervisor", "CLinux", "CKeeper", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Cgroups", folders: ["Model", "System"],
      modules: ["Supervisor", "CLinux", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Server", folders: ["Model", "System", "Loop", "Control"],
      modules: ["Supervisor", "CLinux", "Glibc", "FoundationEssentials"]),
    Layer(
      folder: "SupervisorDaemon/Console", folders: ["Model", "System", "Control", "Loop", "Logs"],
      modules: ["Supervisor", "CLinux", "Glibc"]),
    // What crosses belongs to its owners: it gathers their snapshots.
    Layer(
      folder: "SupervisorDaemon/Handover",
      folders: [
        "Model", "System", "Control", "Services", "Configuration", "Loop", "Sockets", "Logs", "Processes",
        "Server",
      ],
      modules: ["Supervisor", "CLinux", "Glibc"]),
    Layer(
      folder: "SupervisorDaemon/Daemon",
      folders: [
        "Model", "System", "Control", "Ports", "Services", "Configuration", "Loop", "Sockets", "Logs",
        "Processes", "Interception", "Watching", "Cgroups", "Server", "Systemd", "Handover", "Console",
      ],
      modules: ["Supervisor", "CLinux", "CSystemd", "CKeeper", "Glibc", "FoundationEssentials"]),
    // A run at a desk: it puts a daemon together, and shows how it does.
    Layer(
      folder: "SupervisorDaemon/Development",
      folders: [
        "Model", "System", "Control", "Ports", "Services", "Configuration", "Loop", "Sockets", "Logs",
        "Processes", "Interception", "Server", "Daemon", "Handover", "Console",
      ],
      modules: ["Supervisor", "CLinux", "Glibc"]),

    Layer(
      folder: "fdsupervisord",
      folders: ["Model", "System", "Configuration", "Daemon", "Development"],
      modules: ["Supervisor", "SupervisorDaemon", "Glibc"]),
    Layer(
      folder: "fdsupervisorctl",
      folders: ["Model", "System", "Ports", "Control", "fdsupervisorctl/Commands"],
      modules: ["Supervisor", "CEarlyCall", "ArgumentParser", "Glibc", "FoundationEssentials"]),
    Layer(
      folder: "fdsupervisorctl/Commands",
      folders: ["Model", "System", "Ports", "Control", "fdsupervisorctl"],
      modules: ["Supervisor", "ArgumentParser", "Glibc", "FoundationEssentials"]),
  ]

  /// Single files that may import more than their folder: Model is pure but for inet_pton(3) and inet_ntop(3).
  static let exceptions = ["Sources/Supervisor/Model/IPAddress.swift": ["Glibc"]]
}

/// What a set of files does against the layers.
struct LayerCheck {
  private let files: [SourceFile]
  /// The folder of each top-level type that is declared in one folder only.
  private let homes: [String: String]

  init(_ files: [SourceFile]) {
    self.files = files.filter { $0.path.hasSuffix(".swift") }
    var folders: [String: Set<String>] = [:]
    for file in self.files {
      for name in Self.declaredTypes(file, topLevelOnly: true) {
        folders[name, default: []].insert(file.folder)
      }
    }
    homes = folders.compactMapValues { $0.count == 1 ? $0.first : nil }
  }

  func violations() -> [Violation] { files.flatMap(violations(in:)) }

  private func violations(in file: SourceFile) -> [Violation] {
    guard let layer = Layers.all.first(where: { $0.folder == file.folder }) else {
      return [Violation(file, line: 1, "the folder \(file.folder) is in no layer; see Layers.swift")]
    }
    let modules = layer.modules + (Layers.exceptions[file.path] ?? [])
    let imports = Self.imports(file).filter { !modules.contains($0.text) }
      .map { Violation(file, line: $0.line, "\(layer.folder) may not import \($0.text)") }
    return imports + foreignTypes(in: file, layer)
  }

  private func foreignTypes(in file: SourceFile, _ layer: Layer) -> [Violation] {
    let own = Self.declaredTypes(file, topLevelOnly: false)
    var violations: [Violation] = []
    for (index, token) in file.tokens.enumerated() {
      guard let home = homes[token.text], home != layer.folder, !own.contains(token.text) else { continue }
      if index > 0, file.tokens[index - 1].text == "." { continue }  // a nested type, or a member
      if !layer.folders.contains(where: { home == $0 || home.hasSuffix("/" + $0) }) {
        violations.append(
          Violation(file, line: token.line, "\(layer.folder) may not use \(token.text) of \(home)"))
      }
    }
    return violations
  }

  private static func imports(_ file: SourceFile) -> [SwiftToken] {
    let kinds: Set<String> = ["class", "struct", "enum", "func", "var", "let", "protocol", "typealias"]
    return file.tokens.indices.dropLast().compactMap { index in
      guard file.tokens[index].text == "import" else { return nil }
      let next = file.tokens[index + 1]
      return kinds.contains(next.text) && index + 2 < file.tokens.count ? file.tokens[index + 2] : next
    }
  }

  private static func declaredTypes(_ file: SourceFile, topLevelOnly: Bool) -> Set<String> {
    let kinds: Set<String> = ["class", "struct", "enum", "protocol", "actor", "typealias"]
    var names: Set<String> = []
    var depth = 0
    for (index, token) in file.tokens.enumerated() {
      if token.text == "{" { depth += 1 }
      if token.text == "}" { depth -= 1 }
      let isWanted = depth == 0 || !topLevelOnly
      if isWanted, kinds.contains(token.text), index + 1 < file.tokens.count {
        names.insert(file.tokens[index + 1].text)
      }
    }
    return names
  }
}
