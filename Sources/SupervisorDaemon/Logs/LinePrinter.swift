// A service's lines between those of others, on the daemon's own output: "app | listening".

import Supervisor

/// Writes lines with the service's name before each.
final class LinePrinter {
  /// Bytes that are put together before they are handed on.
  private static let batch = 32 << 10

  private let service: String
  private unowned let context: LogContext
  private var lines: LineAssembly

  /// What has come of a line that has not ended.
  var partial: [UInt8] { lines.partial }

  init(service: String, in context: LogContext, partial: [UInt8] = []) {
    lines = LineAssembly(partial: partial)
    (self.service, self.context) = (ProcessTable.printable(service), context)
    context.alignNames([service])
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    let prefix = prefix()
    var text: [UInt8] = []
    var tapped: [ConsoleLine] = []
    lines.add(bytes) { line in
      append(line, prefix, to: &text)
      if context.tap != nil { tapped.append(consoleLine(line)) }
      if text.count >= Self.batch {
        context.output.write(text)
        text.removeAll(keepingCapacity: true)
      }
    }
    context.output.write(text)
    context.tap?.put(tapped)
  }

  /// Ends a partial line.
  func finishLine() {
    var text: [UInt8] = []
    lines.finish {
      append($0, prefix(), to: &text)
      context.tap?.put([consoleLine($0)])
    }
    context.output.write(text)
  }

  private func consoleLine(_ line: UnsafeRawBufferPointer) -> ConsoleLine {
    ConsoleLine(service: service, kind: .output, text: Array(line))
  }

  private func append(_ line: UnsafeRawBufferPointer, _ prefix: [UInt8], to text: inout [UInt8]) {
    text.append(contentsOf: prefix)
    if context.tap != nil, context.colours == .off {
      // Programs that colour all the same: a person who redirects what he sees at the desk wants text.
      text.append(contentsOf: Array(LogText.text(of: Array(line)).utf8))
    } else if context.output.isTerminal {
      LogText.appendForTerminal(line, to: &text)
    } else {
      text.append(contentsOf: line)
    }
    text.append(newline)
  }

  private func prefix() -> [UInt8] {
    var prefix: [UInt8] = []
    ConsoleLine(service: service, kind: .output, text: [])
      .appended(to: &prefix, colours: context.colours, width: context.nameWidth)
    return prefix
  }
}
