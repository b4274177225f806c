import Supervisor
import Testing

/// A struct of Varlink's language: its fields, and which of them may be absent.
private struct Shape: Equatable {
  var required: Set<String> = []
  var optional: Set<String> = []
}

/// Reads as much of Varlink's language as the test needs.
private struct Description {
  var types: [String: Shape] = [:]
  var methods: [String: (parameters: Shape, reply: Shape)] = [:]
  var errors: [String: Shape] = [:]

  init(_ text: String) {
    let lines = text.split(separator: "\n").filter { !$0.drop(while: { $0 == " " }).hasPrefix("#") }
    var rest = lines.joined(separator: " ")[...]
    while let keyword = Self.word(&rest) {
      switch keyword {
      case "interface": rest = rest.drop { $0 == " " }.drop { $0 != " " }
      case "type": if let name = Self.word(&rest) { types[name] = Self.shape(&rest) }
      case "error": if let name = Self.word(&rest) { errors[name] = Self.shape(&rest) }
      case "method":
        guard let name = Self.word(&rest) else { return }
        let parameters = Self.shape(&rest)
        rest = rest.drop { $0 != "(" }
        methods[name] = (parameters, Self.shape(&rest))
      default: Issue.record("unexpected \(keyword)")
      }
    }
  }

  private static func word(_ rest: inout Substring) -> String? {
    rest = rest.drop { !$0.isLetter }
    let word = rest.prefix { $0.isLetter || $0.isNumber }
    rest = rest.dropFirst(word.count)
    return word.isEmpty ? nil : String(word)
  }

  private static func shape(_ rest: inout Substring) -> Shape {
    rest = rest.drop { $0 != "(" }.dropFirst()
    var (depth, field) = (1, "")
    var shape = Shape()
    while depth > 0, let character = rest.popFirst() {
      if character == "(" { depth += 1 }
      if character == ")" { depth -= 1 }
      if depth == 0 || (depth == 1 && character == ",") {
        let parts = field.split(separator: ":", maxSplits: 1).map { $0.filter { $0 != " " } }
        if parts.count == 2 {
          if parts[1].hasPrefix("?") {
            shape.optional.insert(parts[0])
          } else {
            shape.required.insert(parts[0])
          }
        }
        field = ""
      } else {
        field.append(character)
      }
    }
    return shape
  }
}

/// The names of a JSON object's members.
private struct Members: Decodable {
  var names: Set<String>

  struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    names = Set(try decoder.container(keyedBy: Key.self).allKeys.map(\.stringValue))
  }
}

/// What Codable makes of two values: one with everything, one with as little as possible.
private func shape(_ full: some Encodable, _ bare: some Encodable) throws -> Shape {
  let all = try Wire.decode(Members.self, from: Wire.encode(full)).names
  let required = try Wire.decode(Members.self, from: Wire.encode(bare)).names
  return Shape(required: required, optional: all.subtracting(required))
}

@Suite("The interface description") struct InterfaceDescriptionTests {
  private let description = Description(ControlMethod.interfaceDescription)

  @Test("describes every method, and no other")
  func methods() {
    #expect(Set(description.methods.keys) == Set(ControlMethod.allCases.map(\.rawValue)))
  }

  @Test("describes every error, with its message")
  func errors() {
    #expect(Set(description.errors.keys) == Set(ControlError.allCases.map(\.rawValue)))
    #expect(description.errors.values.allSatisfy { $0 == Shape(required: ["message"]) })
  }

  @Test("the parameters of each method are those of its type")
  func parameters() throws {
    let selection = try shape(ServiceSelection(names: ["a"], all: true), ServiceSelection(names: []))
    let nothing = try shape(NoParameters(), NoParameters())
    var expected = [
      ControlMethod.stop: try shape(
        StopParameters(names: [], all: true, close: true), StopParameters(names: [])),
      .signal: try shape(
        SignalParameters(names: [], all: true, signal: "HUP"), SignalParameters(names: [], signal: "HUP")),
      .wait: try shape(WaitParameters(names: [], all: true, timeout: 1), WaitParameters(names: [])),
      .logs: try shape(LogsParameters(name: "a", lines: 1, follow: true), LogsParameters(name: "a")),
      .attach: try shape(AttachParameters(lines: 1, colours: true), AttachParameters()),
      .holders: try shape(AddressParameters(address: "a"), AddressParameters(address: "a")),
      .free: try shape(AddressParameters(address: "a", pids: [1]), AddressParameters(address: "a")),
      .reloadConfig: try shape(ReloadConfigParameters(dryRun: true), ReloadConfigParameters()),
    ]
    for method in [ControlMethod.status, .start, .restart, .reload, .tree] { expected[method] = selection }
    for method in [ControlMethod.sockets, .doctor, .reexec, .shutdown] { expected[method] = nothing }
    for method in ControlMethod.allCases {
      #expect(description.methods[method.rawValue]?.parameters == expected[method], "\(method)")
    }
  }

  @Test("the reply of each method is that of its type; what streams is optional")
  func replies() throws {
    let progress = try shape(
      ProgressReply(service: "a", message: "b"), ProgressReply(service: "a", message: "b"))
    let outcomes = try shape(OperationReply(outcomes: []), OperationReply(outcomes: []))
    let streaming = Shape(optional: outcomes.required.union(progress.required))
    let holders = HoldersReply(address: "a", holders: [], remarks: [])
    let reexec = ReexecReply(from: "1", to: "2", pid: 3, services: 4, milliseconds: 5, pause: 1)
    let holdersShape = try shape(holders, holders)
    let reload = ReloadConfigReply(ok: true, message: "m")
    let reloadShape = try shape(reload, reload)
    var expected = [
      ControlMethod.status: try shape(StatusReply(services: []), StatusReply(services: [])),
      .logs: try shape(LogsReply(lines: []), LogsReply(lines: [])),
      .attach: try shape(LogsReply(lines: []), LogsReply(lines: [])),
      .sockets: try shape(SocketsReply(sockets: []), SocketsReply(sockets: [])),
      .holders: holdersShape,
      .free: Shape(optional: holdersShape.required.union(progress.required)),
      .tree: try shape(TreeReply(trees: []), TreeReply(trees: [])),
      .doctor: try shape(DoctorReply(findings: []), DoctorReply(findings: [])),
      .reloadConfig: Shape(optional: reloadShape.required.union(progress.required)),
      .reexec: try shape(reexec, reexec),
      .shutdown: Shape(),
    ]
    for method in [ControlMethod.start, .stop, .restart, .reload, .signal, .wait] {
      expected[method] = streaming
    }
    for method in ControlMethod.allCases {
      #expect(description.methods[method.rawValue]?.reply == expected[method], "\(method)")
    }
  }

  @Test("every named type has the members of its Swift type")
  func types() throws {
    let stray = RelaunchReport.StrayRecord(pid: 1, command: "a")
    var goneStray = stray
    (goneStray.milliseconds, goneStray.fate, goneStray.taken) = (1, .released, [])
    var retained = ServiceTree(service: "a", generation: 1, keeper: 1, processes: [])
    retained.retained = true
    let stopped = RelaunchReport.StoppedProcess(
      pid: 1, command: "a", signals: [], outcome: "", milliseconds: 1)
    let verified = RelaunchReport.VerifiedAddress(address: "a", kind: .owned, finding: "")
    let diagnostic = CheckReply.Diagnostic(file: "a", line: 1, column: 1, severity: "error", message: "m")
    let finding = DoctorReply.Finding(name: "a", ok: true, message: "")
    let process = TreeProcess(
      pid: 1, parent: 1, depth: 0, command: "a", state: "S", user: "u", age: 1, holds: [])
    var leaking = process
    leaking.leaks = true
    let expected = [
      "ServiceStatus": try shape(Samples.fullStatus, Samples.bareStatus),
      "LastExit": try shape(Samples.fullExit, Samples.bareExit),
      "Outcome": try shape(
        OperationReply.Outcome(
          service: "a", ok: true, message: "", report: Samples.fullReport, lastLines: []),
        OperationReply.Outcome(service: "a", ok: true, message: "")),
      "Progress": try shape(
        ProgressReply(service: "a", message: "").progress, ProgressReply(service: "a", message: "").progress),
      "SocketStatus": try shape(
        SocketStatus(
          name: "a", address: "b", inode: 1, queued: 1, limit: 1, origin: "o", services: [], holders: []),
        SocketStatus(
          name: "a", address: "b", inode: 1, queued: nil, limit: nil, origin: "o", services: [], holders: [])),
      "Holder": try shape(Samples.holder(of: "app"), Samples.holder(of: nil)),
      "ServiceTree": try shape(
        retained, ServiceTree(service: "a", generation: 1, keeper: nil, processes: [])),
      "RetainedGeneration": try shape(
        RetainedStatus(generation: 1, keeper: 1, strays: []),
        RetainedStatus(generation: 1, keeper: 1, strays: [])),
      "TreeProcess": try shape(leaking, process),
      "Change": try shape(
        ConfigurationChange(kind: .service, name: "a", change: .added, action: .start),
        ConfigurationChange(kind: .service, name: "a", change: .added, action: .start)),
      "Diagnostic": try shape(diagnostic, diagnostic),
      "Finding": try shape(finding, finding),
      "Report": try shape(Samples.fullReport, RelaunchReport(service: "a", generation: 1)),
      "Steps": try shape(Samples.fullReport.steps, RelaunchReport.Steps()),
      "StoppedProcess": try shape(stopped, stopped),
      "Stray": try shape(goneStray, stray),
      "VerifiedAddress": try shape(verified, verified),
    ]
    #expect(Set(description.types.keys) == Set(expected.keys))
    for (name, shape) in expected { #expect(description.types[name] == shape, "\(name)") }
  }
}
