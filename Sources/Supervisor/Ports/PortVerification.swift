// Are the guarded ports of a service free? The kernel's table and a trial bind together; what can't be read
// is unknown, never free. Who holds a port that is taken is HolderWalk's.

/// What was found at one guarded address.
package struct PortFinding: Hashable, Sendable {
  package var address: SocketAddress
  package var verdict: Verdict
  /// Closed connections (TIME_WAIT and the like) of a server that had not set SO_REUSEADDR.
  ///
  /// Nobody holds them; they pass within a minute, and until then bind(2) fails for whoever does not use
  /// SO_REUSEPORT.
  package var lingering: Int

  package enum Verdict: Hashable, Sendable {
    case free
    /// The listeners, or else what keeps the port without listening; none when the kernel does not show it.
    case taken([ListenerEntry])
    /// Why it could not be found out.
    case unknown(String)
  }

  package init(address: SocketAddress, verdict: Verdict, lingering: Int = 0) {
    self.address = address
    self.verdict = verdict
    self.lingering = lingering
  }
}

/// Proves guarded ports free, before each launch of a service.
package struct PortVerification {
  package typealias Reading = Result<[ListenerEntry], SystemError>

  private let table: SocketTable

  package init(table: SocketTable) { self.table = table }

  /// One finding for each address, in their order; some 50 µs for one TCP address.
  package func check(guarded addresses: [SocketAddress]) -> [PortFinding] {
    let listeners = Self.read { () throws(SystemError) in try table.listeners(onAnyOf: addresses) }
    return addresses.indices.map { index in
      let address = addresses[index]
      return Self.decide(
        address, listeners.map { $0[index] }, TrialBind.check(address),
        occupants: Self.read { () throws(SystemError) in try table.occupants(of: address) })
    }
  }

  /// The decision alone.
  ///
  /// The table is the truth about listeners, and needs no rights; the trial adds what is bound without
  /// listening. A trial that can't be made (a privileged port, an address that is not here yet) leaves it to
  /// the table; a successful trial does not make up for a table that can't be read. `occupants` are only read
  /// when the trial met something that the table of listeners had not.
  package static func decide(
    _ address: SocketAddress, _ listeners: Reading, _ trial: TrialBind.Outcome,
    occupants: @autoclosure () -> Reading
  ) -> PortFinding {
    switch (listeners, trial) {
    case (.success(let found), .free), (.success(let found), .unknown):
      PortFinding(address: address, verdict: found.isEmpty ? .free : .taken(found))
    case (.success(let found), .taken):
      found.isEmpty ? decide(address, occupants()) : PortFinding(address: address, verdict: .taken(found))
    case (.failure, .taken): PortFinding(address: address, verdict: .taken([]))
    case (.failure(let error), .free), (.failure(let error), .unknown):
      PortFinding(address: address, verdict: .unknown(error.description))
    }
  }

  /// Nobody listens, and yet a bind fails.
  private static func decide(_ address: SocketAddress, _ occupants: Reading) -> PortFinding {
    guard case .success(let found) = occupants else {
      return PortFinding(address: address, verdict: .taken([]))
    }
    let held = found.filter { $0.inode != 0 }
    let isLingering = held.isEmpty && !found.isEmpty
    return PortFinding(
      address: address, verdict: isLingering ? .free : .taken(held), lingering: isLingering ? found.count : 0)
  }

  private static func read<Value>(_ body: () throws(SystemError) -> Value) -> Result<Value, SystemError> {
    do throws(SystemError) { return .success(try body()) } catch { return .failure(error) }
  }
}
