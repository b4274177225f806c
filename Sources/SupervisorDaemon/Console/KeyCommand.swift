// What the keys of a console mean. Pure.

/// What a person asks for with one key.
package enum KeyCommand: String, Hashable, Sendable, CaseIterable {
  case restart = "r"
  case status = "s"
  case tree = "t"
  /// A port that somebody else has is taken over.
  case free = "f"
  /// An attached view ends; the run goes on.
  case detach = "d"
  case quit = "q"
  case help = "?"
  /// An empty line, to tell what comes from what was there.
  case separate = "\n"

  /// What the key does, for `?`.
  package var purpose: String {
    switch self {
    case .restart: "restart every service"
    case .status: "how they are"
    case .tree: "their processes, with the sockets that each holds"
    case .free: "end whoever has a port that is needed"
    case .detach: "leave this view; the run goes on (also Ctrl-C)"
    case .quit: "stop every service, and end (Ctrl-C: the same; twice: at once)"
    case .help: "this text"
    case .separate: "an empty line"
    }
  }

  /// Where keys are pressed.
  package enum Place: Hashable, Sendable { case run, attached }

  package static func available(in place: Place) -> [KeyCommand] {
    switch place {
    case .run: [.restart, .status, .tree, .free, .quit, .help]
    case .attached: [.restart, .status, .tree, .detach, .quit, .help]
    }
  }

  package static func help(in place: Place) -> [String] {
    available(in: place).map { command in
      let purpose =
        command == .quit && place == .attached
        ? "stop the run: every service, and its daemon" : command.purpose
      return "  \(command.rawValue)  \(purpose)"
    }
  }

  /// The commands of what was typed, in this order; unknown keys mean nothing.
  ///
  /// A key such as an arrow sends several bytes, ESC first (ECMA-48): none of them is a key of its own.
  package static func commands(in bytes: [UInt8], _ place: Place) -> [KeyCommand] {
    var result: [KeyCommand] = []
    var rest = bytes[...]
    while let byte = rest.popFirst() {
      if byte == 0x1B {
        skipSequence(&rest)
      } else if let command = command(of: byte),
        command == .separate || available(in: place).contains(command)
      {
        result.append(command)
      }
    }
    return result
  }

  private static func command(of byte: UInt8) -> KeyCommand? {
    if byte == UInt8(ascii: "\r") { return .separate }
    // Capital letters mean the same: Caps Lock is no trap.
    let isCapital = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    return KeyCommand(rawValue: String(UnicodeScalar(isCapital ? byte | 0x20 : byte)))
  }

  private static func skipSequence(_ rest: inout ArraySlice<UInt8>) {
    guard let introducer = rest.popFirst(), introducer == UInt8(ascii: "[") || introducer == UInt8(ascii: "O")
    else { return }
    while let byte = rest.popFirst(), !(0x40...0x7E).contains(byte) {}
  }
}
