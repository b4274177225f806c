// Are the guarded ports of a service free? The kernel's table and a trial bind together; what can't be read is unknown.

/// What was found at one guarded address.
package struct PortFinding: Hashable, Sendable {
  package var address: SocketAddress
  package var verdict: Verdict

  package enum Verdict: Hashable, Sendable {
    case free
    /// The listeners; none when something is bound there that does not listen.
    case taken([ListenerEntry])
    /// Why it could not be found out.
    case unknown(String)
  }

  package init(address: SocketAddress, verdict: Verdict) {
    self.address = address
    self.verdict = verdict
  }
}

/// Proves guarded ports free, before each launch of a service.
package struct PortVerification {
  private let table: SocketTable

  package init(table: SocketTable) { self.table = table }

  /// One finding for each address, in their order. Some 50 µs for one TCP address.
  package func check(guarded addresses: [SocketAddress]) -> [PortFinding] {
    let listeners = Self.read { () throws(SystemError) in try table.listeners(onAnyOf: addresses) }
    return addresses.indices.map { index in
      let address = addresses[index]
      let found: Result<[ListenerEntry], SystemError> = listeners.map { $0[index] }
      return PortFinding(address: address, verdict: Self.decide(found, TrialBind.check(address)))
    }
  }

  /// The decision alone.
  ///
  /// The table is the truth about listeners, and needs no rights; the trial adds what is bound but does not listen.
  /// A trial that can't be made (a privileged port, an address that is not here yet) leaves it to the table;
  /// a successful trial does not make up for a table that can't be read.
  package static func decide(
    _ listeners: Result<[ListenerEntry], SystemError>, _ trial: TrialBind.Outcome
  ) -> PortFinding.Verdict {
    switch (listeners, trial) {
    case (.success(let found), .taken): .taken(found)
    case (.success(let found), .free), (.success(let found), .unknown): found.isEmpty ? .free : .taken(found)
    case (.failure, .taken): .taken([])
    case (.failure(let error), .free), (.failure(let error), .unknown): .unknown(error.description)
    }
  }

  private static func read<Value>(_ body: () throws(SystemError) -> Value) -> Result<Value, SystemError> {
    do throws(SystemError) { return .success(try body()) } catch { return .failure(error) }
  }
}
