// What a service is told of its sockets: the rows of PassMode, filled in with numbers and addresses.

import Supervisor

/// The sockets of one launch in the convention that its program knows.
struct SocketPassing {
  let mode: PassMode
  /// In the order in which they are handed over.
  let sockets: [PassedSocket]
  let generation: Int

  /// The number that a socket has in the service; nil when it is not given that socket.
  func descriptor(of name: String) -> Int? {
    mode.descriptors == .atBind ? nil : sockets.firstIndex { $0.name == name }.map(descriptor(at:))
  }

  /// The variables of the convention; none without sockets, so that no program believes in sockets that it has not.
  var environment: [EnvironmentEntry] {
    if sockets.isEmpty { return [] }
    return computed + mode.environment.flatMap(filled)
  }

  /// What goes behind the arguments of the command.
  var arguments: [String] {
    sockets.indices.flatMap { index in mode.arguments.map { fill($0, at: index) } }
  }

  /// Whether the main process wants its own pid in LISTEN_PID.
  var listenPID: LaunchRequest.ListenPID {
    mode.variables == .systemd && !sockets.isEmpty ? .wanted : .absent
  }

  /// Whether the main process wants its parent's pid in EINHORN_MASTER_PID: workers compare it with getppid(2).
  var masterPID: LaunchRequest.MasterPID {
    mode.variables == .einhorn && !sockets.isEmpty ? .wanted : .absent
  }

  private func descriptor(at index: Int) -> Int {
    switch mode.descriptors {
    case .standardStreams: 0
    case .fromThree, .atBind: LaunchPreparation.firstPassedDescriptor + index
    }
  }

  private var computed: [EnvironmentEntry] {
    switch mode.variables {
    case .none: return []
    case .systemd:
      return [
        EnvironmentEntry(name: "LISTEN_FDS", value: "\(sockets.count)"),
        EnvironmentEntry(name: "LISTEN_FDNAMES", value: sockets.map(\.name).joined(separator: ":")),
      ]
    case .serverStarter:
      let ports = sockets.indices.map {
        "\(sockets[$0].address.spelledForServerStarter)=\(descriptor(at: $0))"
      }
      return [
        EnvironmentEntry(name: "SERVER_STARTER_PORT", value: ports.joined(separator: ";")),
        EnvironmentEntry(name: "SERVER_STARTER_GENERATION", value: "\(generation)"),
      ]
    case .einhorn:
      return [EnvironmentEntry(name: "EINHORN_FD_COUNT", value: "\(sockets.count)")]
        + sockets.indices.map { EnvironmentEntry(name: "EINHORN_FD_\($0)", value: "\(descriptor(at: $0))") }
    }
  }

  /// One variable for all sockets, or one for each when the name says so.
  private func filled(_ template: PassMode.Template) -> [EnvironmentEntry] {
    let values = sockets.indices.map { fill(template.value, at: $0) }
    guard template.name.contains("{") else {
      let isRepeated = template.value.contains("{")
      let value = isRepeated ? values.joined(separator: template.separator) : template.value
      return [EnvironmentEntry(name: template.name, value: value)]
    }
    var seen: Set<String> = []
    return zip(sockets, values).compactMap { socket, value in
      let name = Self.fill(template.name) { $0 == "NAME" ? socket.name.asVariable : nil }
      return seen.insert(name).inserted ? EnvironmentEntry(name: name, value: value) : nil
    }
  }

  private func fill(_ template: String, at index: Int) -> String {
    let address = sockets[index].address
    return Self.fill(template) { word in
      switch word {
      case "fd": "\(descriptor(at: index))"
      case "address": address.spelledForPrograms
      case "url": (address.path == nil ? "tcp://" : "unix://") + address.spelledForPrograms
      default: nil
      }
    }
  }

  /// Replaces each "{word}" that has a value.
  private static func fill(_ template: String, _ value: (Substring) -> String?) -> String {
    var result = ""
    var rest = template[...]
    while let opening = rest.firstIndex(of: "{"), let closing = rest[opening...].firstIndex(of: "}") {
      let word = rest[rest.index(after: opening)..<closing]
      result += rest[..<opening] + (value(word) ?? "{\(word)}")
      rest = rest[rest.index(after: closing)...]
    }
    return result + rest
  }
}

extension String {
  /// "my-web" as part of a variable's name: "MY_WEB".
  fileprivate var asVariable: String {
    String(uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }
}

extension SocketAddress {
  /// As start_server(1) names it: the port alone for the IPv4 wildcard, "u" before those of UDP.
  fileprivate var spelledForServerStarter: String {
    switch self {
    case .tcp(.v4(0), let port): "\(port)"
    case .udp(.v4(0), let port): "u\(port)"
    case .udp(let ip, let port): (ip.isV6 ? "[\(ip)]" : "\(ip)") + ":u\(port)"
    case .tcp, .unix: spelledForPrograms
    }
  }
}
