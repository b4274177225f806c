// Bytes inside JSON: what need not be text, exactly as it was.

/// Bytes that are written as a string with one character for each (U+0000 … U+00FF).
package struct ExactBytes: Hashable, Sendable, Codable {
  package var bytes: [UInt8]

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    bytes = try text.unicodeScalars.map { scalar in
      guard let byte = UInt8(exactly: scalar.value) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "U+00FF is the last one")
      }
      return byte
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: bytes.lazy.map { Unicode.Scalar($0) })
    var container = encoder.singleValueContainer()
    try container.encode(String(text))
  }
}
