// The interface org.varlink.service, which every Varlink service has: who am I, what can I do.

package enum VarlinkService {
  package static let interface = "org.varlink.service"

  package enum Method: String, CaseIterable, Sendable {
    case getInfo = "GetInfo"
    case getInterfaceDescription = "GetInterfaceDescription"
  }

  /// The errors of every Varlink service; the wire's name is "org.varlink.service." and the raw value.
  package enum StandardError: String, CaseIterable, Sendable {
    case interfaceNotFound = "InterfaceNotFound"
    case methodNotFound = "MethodNotFound"
    case methodNotImplemented = "MethodNotImplemented"
    case invalidParameter = "InvalidParameter"

    package var wireName: String { "\(interface).\(rawValue)" }

    /// The name of the one parameter of this error.
    package var parameter: String {
      switch self {
      case .interfaceNotFound: "interface"
      case .methodNotFound, .methodNotImplemented: "method"
      case .invalidParameter: "parameter"
      }
    }
  }

  /// The reply of GetInfo.
  package struct Identification: Codable, Hashable, Sendable {
    package var vendor = Product.vendor
    package var product = Product.name
    package var version = Product.version
    package var url = Product.url
    package var interfaces = [interface, ControlMethod.interface]
    package init() {}
  }

  /// The parameters of GetInterfaceDescription.
  package struct InterfaceName: Codable, Hashable, Sendable {
    package var interface: String
    package init(interface: String) { self.interface = interface }
  }

  /// The reply of GetInterfaceDescription.
  package struct InterfaceText: Codable, Hashable, Sendable {
    package var description: String
    package init(description: String) { self.description = description }
  }

  /// The description of an interface that is served here; nil for any other.
  package static func description(of name: String) -> String? {
    switch name {
    case interface: description
    case ControlMethod.interface: ControlMethod.interfaceDescription
    default: nil
    }
  }

  private static let description = """
    # Which interfaces a service has, and what they look like.
    interface org.varlink.service

    # Who answers here, and with which interfaces.
    method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)

    # The text of one interface.
    method GetInterfaceDescription(interface: string) -> (description: string)

    # The service has no such interface.
    error InterfaceNotFound (interface: string)

    # The interface has no such method.
    error MethodNotFound (method: string)

    # The method is described, but not implemented.
    error MethodNotImplemented (method: string)

    # A parameter is missing or of the wrong type.
    error InvalidParameter (parameter: string)

    """
}
