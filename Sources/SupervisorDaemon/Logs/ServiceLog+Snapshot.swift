// The output of a service over the replacement of the daemon: the pipe, what is half said, what is remembered.

import Supervisor

extension ServiceLog {
  /// One log at one moment, with the numbers of its descriptors.
  package struct Snapshot: Hashable, Sendable, Codable {
    var pipe: CInt?
    var destination: Place?
    /// The last output.
    var recent: ExactBytes
    /// What has come of a line for those who follow; absent when nobody does.
    var followed: ExactBytes?

    enum Place: Hashable, Sendable, Codable {
      case nowhere
      case inherit(partial: ExactBytes)
      case journal(JournalStream.Snapshot)
      case file(LogFile.Snapshot)
    }

    package var descriptors: [CInt] {
      switch destination {
      case .journal(let stream): [pipe, stream.descriptor].compactMap { $0 }
      case .file(let file): [pipe, file.file?.descriptor].compactMap { $0 }
      case .nowhere, .inherit, nil: pipe.map { [$0] } ?? []
      }
    }
  }

  /// - Parameter recentBytes: how much of the last output goes along.
  package func snapshot(recentBytes: Int) -> Snapshot {
    let place: Snapshot.Place? =
      switch destination {
      case .nowhere: .nowhere
      case .inherit(let printer): .inherit(partial: ExactBytes(printer.partial))
      case .journal(let stream): .journal(stream.snapshot())
      case .file(let file): .file(file.snapshot)
      case nil: nil
      }
    return Snapshot(
      pipe: pipe, destination: place, recent: ExactBytes(recent.end(atMost: recentBytes)),
      followed: followers.map { ExactBytes($0.partial) })
  }
}

extension ServiceLog.Snapshot.Place {
  /// nil when the configuration says something else: then it is chosen anew at the next launch.
  func restored(
    _ service: String, _ definition: LogDefinition, _ context: LogContext
  ) -> ServiceLog.Destination? {
    switch self {
    case .nowhere: return .nowhere
    case .inherit(let partial):
      return .inherit(LinePrinter(service: service, in: context, partial: partial.bytes))
    case .journal(let stream):
      return .journal(JournalStream(restoring: stream, service: service, in: context))
    case .file(let file):
      guard case .file(let configured) = definition else { return nil }
      return .file(LogFile(restoring: file, configured, service: service, log: context.log))
    }
  }
}
