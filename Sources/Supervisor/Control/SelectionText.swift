// A selection of services as JSON without JSONEncoder, whose first use costs a third of the time that a plain
// `restart NAME` takes to send its call (it looks up conformances in the whole program).

extension ServiceSelection {
  /// What JSONEncoder would write.
  package var json: [UInt8] {
    var text = all.map { "{\"all\":\($0)," } ?? "{"
    text += "\"names\":["
    for (index, name) in names.enumerated() {
      text += index == 0 ? "\"" : ",\""
      for scalar in name.unicodeScalars { Self.append(scalar, to: &text) }
      text += "\""
    }
    return Array((text + "]}").utf8)
  }

  private static func append(_ scalar: Unicode.Scalar, to text: inout String) {
    switch scalar {
    case "\"", "\\": text += "\\\(scalar)"
    case _ where scalar.value < 0x20:
      let digits = String(scalar.value, radix: 16)
      text += "\\u00" + (digits.count == 1 ? "0" : "") + digits
    default: text.unicodeScalars.append(scalar)
    }
  }
}
