// What a worker says to Einhorn: is it the acknowledgement? No system call.

/// One line from a worker.
package enum EinhornMessage {
  /// Whether it says that the worker serves, `{"command":"worker:ack","pid":N}`.
  ///
  /// Einhorn's own client writes that as YAML, with "%" and line feeds as "%25" and "%0A"; others as JSON. Of both
  /// only this one field counts: who sent it, the kernel says.
  package static func isAcknowledgement(_ line: some Collection<UInt8>) -> Bool {
    let text = String(decoding: line, as: UTF8.self).replacing("%0A", with: "\n").replacing("%25", with: "%")
    return text.split(whereSeparator: { "\n,{}".contains($0) }).contains { field in
      let field = field.drop(while: isDecoration)
      guard let colon = field.firstIndex(of: ":") else { return false }
      return bare(field[..<colon]) == "command" && bare(field[colon...]) == "worker:ack"
    }
  }

  private static func isDecoration(_ character: Character) -> Bool { " :'\"\r".contains(character) }

  /// Without what JSON, YAML and Ruby's symbols put around a word.
  private static func bare(_ text: Substring) -> String {
    String(String(text.drop(while: isDecoration).reversed()).drop(while: isDecoration).reversed())
  }
}
