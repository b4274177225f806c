// What `holders` and `free` are about: an address, or the name of a socket.

import Supervisor

enum Address {
  case address(SocketAddress, text: String)
  /// May be the name of a socket: the daemon knows. `error` says why it is no address.
  case name(String, error: AddressError)

  var text: String {
    switch self {
    case .address(_, let text), .name(let text, _): text
    }
  }

  /// The longest text worth asking for, in bytes.
  private static let longest = 255

  init(_ text: String) throws(Failure) {
    do throws(AddressError) {
      self = .address(try SocketAddress(parsing: text), text: text)
    } catch {
      guard !text.isEmpty, text.utf8.count <= Self.longest, text.utf8.allSatisfy(Self.isOfName) else {
        throw Self.invalid(text, error)
      }
      self = .name(text, error: error)
    }
  }

  static func invalid(_ text: String, _ error: AddressError, _ more: String = "") -> Failure {
    Failure(ExitStatus.usage, "invalid address \"\(Text.shortened(text))\": \(error)\(more)")
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "@"):
      true
    default: false
    }
  }
}
