// Everything that a daemon hands to the program that takes its place: facts, and descriptors by their numbers.

import Supervisor

/// One daemon at one moment.
///
/// Descriptors stay open over execve(2) and keep their numbers; who owns them, the state says.
package struct HandoverState: Sendable, Codable {
  /// The process, which stays the same.
  package var pid: Int32
  /// The version of the program that wrote this.
  package var version: String
  /// Said by the new program in its rehearsal: it has read this very state.
  package var token: String
  /// How its keepers speak.
  package var keeperMessageSize: Int
  package var keeperVersion: UInt32
  package var origin: DaemonOrigin
  package var began: Instant
  /// From here on nobody was served.
  package var held: Instant
  /// RLIMIT_NOFILE as it was at the start.
  package var descriptorLimit: LimitDefinition?
  package var graph: ServiceGraph.Snapshot
  package var services: [String: ServiceRecord]
  package var listeners: [Listener.Snapshot]
  package var notify: NotifySocket.Snapshot
  /// Where workers acknowledge as Einhorn has it.
  package var einhorn: EinhornSocket.Snapshot?
  package var control: ControlServer.Snapshot
  /// Of the daemon's own log.
  package var unsent: NonBlockingOutput.Unsent
  /// Children that are no keepers: they were told to end, and wait to be reaped.
  package var otherChildren: [Int32]
  /// Something came back from the descriptor store at the start: it is on.
  package var hasReturned: Bool

  /// What the daemon knows of a service beside its machine.
  package struct ServiceRecord: Sendable, Codable {
    package var keeper: Keeper.Snapshot?
    /// The main process, where there is no keeper any more.
    package var orphanedMain: Keeper.MainProcess.Snapshot?
    /// Where the tree of a keeper that was killed is, in the daemon's own word.
    package var adopted: String
    package var log: ServiceLog.Snapshot
    package var strangers: [String]
    package var looksForStrangers: Bool
    package var statusText: String?
    package var since: Double
    package var publicState: PublicState
    package var lastLines: [String]
    package var unsaidLines: [String]
    package var reportedRefusals: Set<ProcessIdentity>
    /// The listening end of the filter for bind(2).
    package var filter: CInt?
    package var interceptionRemarks: Set<String>?
    package var looksForLeaks: Bool?
    /// Keepers of generations that are over.
    package var retained: [Retained]?

    package init(
      keeper: Keeper.Snapshot?, orphanedMain: Keeper.MainProcess.Snapshot?, adopted: String,
      log: ServiceLog.Snapshot, strangers: [String], looksForStrangers: Bool, statusText: String?,
      since: Double,
      publicState: PublicState, lastLines: [String], unsaidLines: [String],
      reportedRefusals: Set<ProcessIdentity>
    ) {
      self.keeper = keeper
      self.orphanedMain = orphanedMain
      self.adopted = adopted
      self.log = log
      self.strangers = strangers
      self.looksForStrangers = looksForStrangers
      self.statusText = statusText
      self.since = since
      self.publicState = publicState
      self.lastLines = lastLines
      self.unsaidLines = unsaidLines
      self.reportedRefusals = reportedRefusals
    }

    var descriptors: [CInt] {
      [keeper?.connection, keeper?.main?.descriptor, orphanedMain?.descriptor, filter].compactMap { $0 }
        + (retained ?? []).flatMap(\.descriptors) + log.descriptors
    }
  }

  /// A generation that is over, and of whom somebody lives on.
  package struct Retained: Sendable, Codable {
    package var keeper: Keeper.Snapshot
    package var strays: [RelaunchReport.StrayRecord]
    /// The listening end of the filter for bind(2).
    package var filter: CInt?

    package init(keeper: Keeper.Snapshot, strays: [RelaunchReport.StrayRecord], filter: CInt?) {
      (self.keeper, self.strays, self.filter) = (keeper, strays, filter)
    }

    var descriptors: [CInt] { [keeper.connection, keeper.main?.descriptor, filter].compactMap(\.self) }
  }

  package init(
    pid: Int32, token: String, origin: DaemonOrigin, began: Instant, held: Instant,
    descriptorLimit: LimitDefinition?, graph: ServiceGraph.Snapshot, services: [String: ServiceRecord],
    listeners: [Listener.Snapshot], notify: NotifySocket.Snapshot, control: ControlServer.Snapshot,
    unsent: NonBlockingOutput.Unsent, otherChildren: [Int32], hasReturned: Bool
  ) {
    self.pid = pid
    version = Product.version
    keeperMessageSize = Keeper.messageSize
    keeperVersion = Keeper.wireVersion
    self.token = token
    self.origin = origin
    self.began = began
    self.held = held
    self.descriptorLimit = descriptorLimit
    self.graph = graph
    self.services = services
    self.listeners = listeners
    self.notify = notify
    self.control = control
    self.unsent = unsent
    self.otherChildren = otherChildren
    self.hasReturned = hasReturned
  }

  /// All that have to stay open.
  package var descriptors: [CInt] {
    listeners.compactMap(\.descriptor) + notify.descriptors + control.descriptors
      + (einhorn.map { [$0.descriptor] } ?? [])
      + services.values.flatMap(\.descriptors)
  }

  /// Keepers that run can't be replaced: who goes on with them has to understand them.
  package func checkKeepers() throws(HandoverError) {
    let isSame = keeperMessageSize == Keeper.messageSize && keeperVersion == Keeper.wireVersion
    guard !isSame, services.values.contains(where: { $0.keeper != nil || $0.retained?.isEmpty == false })
    else {
      return
    }
    throw HandoverError(
      "the keepers of version \(version) speak otherwise than those of \(Product.version); "
        + "stop the services first, or restart the daemon")
  }

  /// The configuration as it was read when it was loaded.
  package func configuration() throws(HandoverError) -> Configuration {
    let sources = ConfigurationSources(replaying: origin.sources)
    switch ConfigurationLoader.load(origin.configuration, from: sources) {
    case .success(let configuration, _): return configuration
    case .failure(let diagnostics):
      let first = diagnostics.first { $0.severity == .error }
      throw HandoverError(
        "the configuration that runs is wrong for version \(Product.version): "
          + (first.map { "\($0.file):\($0.line): \($0.message)" } ?? "?"))
    }
  }
}

/// How a daemon came to be: its program, its arguments, and the configuration as it was read.
package struct DaemonOrigin: Sendable, Codable {
  /// The path of the program, where its successor is looked for.
  package var program: String
  /// argv, without what only a successor is told.
  package var arguments: [String]
  /// The path of the configuration.
  package var configuration: String
  package var sources: ConfigurationSources.Snapshot

  package init(
    program: String, arguments: [String], configuration: String, sources: ConfigurationSources.Snapshot
  ) {
    self.program = program
    self.arguments = arguments
    self.configuration = configuration
    self.sources = sources
  }
}

/// Why a daemon is not replaced: one line.
package struct HandoverError: Error, Hashable, Sendable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}
