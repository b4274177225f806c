// Opens the sockets of the configuration: all addresses of one definition, or none.

import Supervisor

package enum ListenerOpener {
  /// Opens every address of a definition, in its order.
  ///
  /// When one fails, those before it are closed again.
  package static func open(_ definition: SocketDefinition) throws(SocketError) -> [Listener] {
    var listeners: [Listener] = []
    do throws(SocketError) {
      for address in definition.addresses {
        listeners.append(try open(address, of: definition))
      }
    } catch {
      for listener in listeners { _ = listener.close() }
      throw error
    }
    return listeners
  }

  /// Opens one address of a definition.
  static func open(_ address: SocketAddress, of definition: SocketDefinition) throws(SocketError) -> Listener
  {
    let opening = SocketOpening(socket: definition.name, address: address, options: definition.options)
    return Listener(try opening.open(), opening: opening)
  }
}
