// A launch that came to nothing: a fact for the machine, and a line for people.

/// Why a launch came to nothing.
package struct LaunchFailure: Hashable, Sendable {
  /// One line: "cannot execute "flsk": No such file or directory".
  package var message: String
  /// Whether a keeper was made, whose exit is still to come.
  package var keeper: Keeper

  package enum Keeper: Hashable, Sendable { case none, exiting }

  package init(message: String, keeper: Keeper) {
    self.message = message
    self.keeper = keeper
  }
}
