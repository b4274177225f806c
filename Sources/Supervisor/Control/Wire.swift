// The bytes of Varlink (https://varlink.org): JSON objects, each ended by a NUL byte.

import FoundationEssentials

/// Why something is no message.
package enum WireError: Error, Hashable, CustomStringConvertible {
  case tooLong(limit: Int)
  /// No JSON object, or one that is nested too deeply.
  case malformed
  /// A member that is missing or of another type: its path, "names" or "lines".
  case unexpected(member: String)
  case notEncodable

  package var description: String {
    switch self {
    case .tooLong(let limit): "the message is longer than \(limit) bytes"
    case .malformed: "the message is no JSON object"
    case .unexpected(let member): "\"\(member)\" is missing or of the wrong type"
    case .notEncodable: "the value can't be written as JSON"
    }
  }
}

package enum Wire {
  /// The longest call that the daemon takes, in bytes.
  package static let longestCall = 64 << 10
  /// The longest reply that a client takes, in bytes.
  package static let longestReply = 16 << 20

  package static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: some Sequence<UInt8>
  ) throws(WireError) -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as DecodingError {
      throw .unexpected(member: path(of: error))
    } catch {
      throw .malformed
    }
  }

  package static func encode(_ value: some Encodable) throws(WireError) -> [UInt8] {
    let encoder = JSONEncoder()
    // Sorted, because the order would differ from run to run otherwise.
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do {
      return [UInt8](try encoder.encode(value))
    } catch {
      throw .notEncodable
    }
  }

  /// A call, with its closing NUL.
  package static func call(
    _ method: String, parameters: [UInt8], more: Bool = false
  ) -> [UInt8] {
    Array("{\"method\":\"\(method)\",\"parameters\":".utf8) + parameters
      + Array((more ? ",\"more\":true}\0" : "}\0").utf8)
  }

  /// A reply, with its closing NUL; `continues` says that another follows.
  package static func reply(_ parameters: [UInt8], continues: Bool) -> [UInt8] {
    Array("{\"parameters\":".utf8) + parameters + Array((continues ? ",\"continues\":true}\0" : "}\0").utf8)
  }

  /// An error, with its closing NUL.
  ///
  /// The name is one of ours, so it needs no escaping.
  package static func error(_ name: String, parameters: [UInt8]) -> [UInt8] {
    Array("{\"error\":\"\(name)\",\"parameters\":".utf8) + parameters + Array("}\0".utf8)
  }

  private static func path(of error: DecodingError) -> String {
    let path: [any CodingKey]
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      path = context.codingPath
    case .keyNotFound(let key, let context): path = context.codingPath + [key]
    @unknown default: path = []
    }
    return path.isEmpty ? "parameters" : path.map(\.stringValue).joined(separator: ".")
  }
}
