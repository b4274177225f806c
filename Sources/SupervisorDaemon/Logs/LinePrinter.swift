// A service's lines between those of others, on the daemon's own output: "app | listening".

import Supervisor

/// Writes lines with the service's name before each.
final class LinePrinter {
  /// Bytes that are put together before they are handed on.
  private static let batch = 32 << 10
  private static let longestPadding = 24

  private let service: String
  private unowned let context: LogContext
  private var lines: LineAssembly

  /// What has come of a line that has not ended.
  var partial: [UInt8] { lines.partial }

  init(service: String, in context: LogContext, partial: [UInt8] = []) {
    lines = LineAssembly(partial: partial)
    (self.service, self.context) = (ProcessTable.printable(service), context)
    context.nameWidth = max(context.nameWidth, min(service.count, Self.longestPadding))
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    let prefix = prefix()
    var text: [UInt8] = []
    lines.add(bytes) { line in
      append(line, prefix, to: &text)
      if text.count >= Self.batch {
        context.output.write(text)
        text.removeAll(keepingCapacity: true)
      }
    }
    context.output.write(text)
  }

  /// Ends a partial line.
  func finishLine() {
    var text: [UInt8] = []
    lines.finish { append($0, prefix(), to: &text) }
    context.output.write(text)
  }

  private func append(_ line: UnsafeRawBufferPointer, _ prefix: [UInt8], to text: inout [UInt8]) {
    text.append(contentsOf: prefix)
    if context.output.isTerminal {
      LogText.appendForTerminal(line, to: &text)
    } else {
      text.append(contentsOf: line)
    }
    text.append(newline)
  }

  private func prefix() -> [UInt8] {
    let padding = String(repeating: " ", count: max(0, context.nameWidth - service.count))
    return switch context.colours {
    case .off: Array("\(service)\(padding) | ".utf8)
    case .on: Array("\u{1B}[\(colour)m\(service)\(padding) |\u{1B}[0m ".utf8)
    }
  }

  /// The same for a name at each start: FNV-1a over its bytes, without red, which means failure.
  private var colour: Int {
    let hash = service.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    return [32, 33, 34, 35, 36, 92, 94, 95, 96][Int(hash % 9)]
  }
}
