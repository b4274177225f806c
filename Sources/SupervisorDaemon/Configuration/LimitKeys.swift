// `limits = { nofile = 65536, memory = "512MiB" }`: those of each process by the names of getrlimit(2) in lower case,
// and those of the whole service.

import Glibc
import Supervisor

/// What the one key says of two things.
struct Limits: Sendable {
  var ofProcesses: [LimitDefinition] = []
  var ofService = ResourceDefinition()
}

extension Decoding where Value == Limits {
  static let limits = LimitKeys.table.decoding("limits", from: Limits())
}

private enum LimitKeys {
  static let table = KeyTable<Limits>(
    resources.map { name, resource in limit(name, resource) } + [
      // A typing error in the unit would end the service at once, and for ever.
      Key("memory", \.ofService.memory, .size(1 << 20...Int.max)),
      Key("tasks", \.ofService.tasks, .integer(1...4_194_304)),
      Key("cpu", \.ofService.cpu, .percentage),
    ])

  /// The numbers of x86-64 and AArch64, asm-generic/resource.h; not all of them are visible in Swift.
  private static let resources: [(String, UInt32)] = [
    ("fsize", 1), ("data", 2), ("stack", 3), ("core", 4), ("rss", 5), ("nproc", 6), ("nofile", 7),
    ("memlock", 8),
    ("as", 9), ("locks", 10), ("sigpending", 11), ("msgqueue", 12), ("nice", 13), ("rtprio", 14),
    ("rttime", 15),
  ]

  private static func limit(_ name: String, _ resource: UInt32) -> Key<Limits> {
    Key(name) { entry, limits, diagnostics in
      guard let (soft, hard) = Decoding.softAndHard.decode(entry.node, diagnostics) else { return }
      limits.ofProcesses.append(LimitDefinition(name: name, resource: resource, soft: soft, hard: hard))
    }
  }
}

extension Decoding where Value == (soft: UInt64, hard: UInt64) {
  /// One value for both, or [soft, hard].
  fileprivate static let softAndHard = Decoding { node, diagnostics in
    guard case .array(let elements) = node.value else {
      return Decoding<UInt64>.limit.decode(node, diagnostics).map { ($0, $0) }
    }
    guard elements.count == 2 else {
      diagnostics.error("expected [soft, hard], found \(elements.count) values", at: node.span)
      return nil
    }
    guard let values = Decoding<UInt64>.limit.array.decode(node, diagnostics) else { return nil }
    if values[0] <= values[1] { return (values[0], values[1]) }
    diagnostics.error("the soft limit is greater than the hard limit", at: node.span)
    return nil
  }
}

extension Decoding where Value == Int {
  /// "50%" of one processor, "150%" of one and a half; the kernel knows no less than 1%.
  fileprivate static let percentage = Decoding { node, diagnostics in
    let form = "a share of one processor such as \"50%\" or \"150%\""
    switch node.value {
    case .string(let text) where text.hasSuffix("%"):
      let digits = text.dropLast()
      if digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits),
        (1...1_000_000).contains(number)
      {
        return number
      }
      diagnostics.error("\(quoted(text)) is no \(form.dropFirst(2)), from \"1%\" up", at: node.span)
      return nil
    case .integer(let number, _):
      return diagnostics.mismatch(form, node, remedy: "; write \"\(number)%\" for percent")
    default: return diagnostics.mismatch(form, node)
    }
  }
}

extension Decoding where Value == UInt64 {
  /// A number, a size, or "infinity".
  fileprivate static let limit = Decoding { node, diagnostics in
    if case .string("infinity") = node.value { return .max }
    switch node.value {
    case .integer(let number, _) where number < 0:
      diagnostics.error("a limit is 0 or more, or \"infinity\"", at: node.span)
      return nil
    case .integer, .string:
      return Decoding<Int>.size(0...Int.max).decode(node, diagnostics).map { UInt64($0) }
    default: return diagnostics.mismatch("a number or \"infinity\"", node)
    }
  }
}
