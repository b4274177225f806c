// A recipe's text with the places of a test in it: no system call.

/// The addresses and the folder of the documentation, and what stands for them.
struct ExampleText {
  /// For /srv/app.
  var folder: String
  /// For 127.0.0.1.
  var host: String
  /// For each port that the configuration names.
  private(set) var ports: [String: String] = [:]

  /// - Parameter port: gives another one with each call.
  init(configuration: String, folder: String, host: String, port: () -> Int) {
    self.folder = folder
    self.host = host
    var rest = configuration[...]
    while let place = rest.firstRange(of: Self.host + ":") {
      let number = String(rest[place.upperBound...].prefix { $0.isNumber })
      if !number.isEmpty, ports[number] == nil { ports[number] = "\(port())" }
      rest = rest[place.upperBound...]
    }
  }

  private static let host = "127.0.0.1"

  /// Each number as a whole word: 8000 in 18000 is left alone.
  func filled(_ text: String) -> String {
    var result = ""
    var word = ""
    for character in text + "\n" {
      if character.isNumber {
        word.append(character)
      } else {
        result += (ports[word] ?? word) + String(character)
        word = ""
      }
    }
    return String(result.dropLast()).replacing(Self.host, with: host).replacing("/srv/app", with: folder)
  }
}
