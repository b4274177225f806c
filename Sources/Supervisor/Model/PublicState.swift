// The states of a service as people and programs see them.

/// The public states of a service.
package enum PublicState: String, Codable, Hashable, Sendable, CaseIterable {
  case stopped, starting, running, stopping, backoff, blocked, failed
}
