// The names of services, for the shell's completion: asked of the daemon, silent when there is none.

import Supervisor

enum ServiceNames {
  /// What ArgumentParser's `.custom` completion calls, with the words of the line, the index of the one to complete,
  /// and what of it lies before the cursor.
  @Sendable static func complete(_ words: [String], _ index: Int, _ prefix: String) -> [String] {
    let session = Session(control: control(in: words), format: .text)
    do throws(Failure) {
      let reply = try session.call(.status, ServiceSelection(names: [], all: true))
      return try Session.decode(reply, StatusReply.self).services.map(\.name).filter { $0.hasPrefix(prefix) }
    } catch { return [] }
  }

  private static func control(in words: [String]) -> String? {
    for (index, word) in words.enumerated() {
      if word == "--control", index + 1 < words.count { return words[index + 1] }
      if word.hasPrefix("--control=") { return String(word.dropFirst("--control=".count)) }
    }
    return nil
  }
}
