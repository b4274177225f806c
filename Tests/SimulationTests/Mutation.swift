// Deliberate mistakes, to see that the promises are really held to.

/// What is done wrong on purpose, between the machines and the model world.
enum Mutation: CaseIterable {
  case none
  /// The end of the main process is taken for the end of its generation.
  case launchEarly
  /// `killStrays` kills nobody.
  case killNobody
  /// `arm` is forgotten.
  case forgetTimer
  /// `verify` is answered without a look.
  case skipVerification
  /// Whoever may live on is left his port.
  case leavePorts
  /// A new definition is in force at once, whatever is alive.
  case takeOverEarly
  /// `settle` reaches nobody.
  case tellNobody
  /// A daemon that replaced another does not ask for what that one had under way.
  case resumeNothing
  /// A daemon that replaced another begins with machines that know nothing.
  case forgetState
}

extension Mutation {
  /// It shows only where the daemon is replaced.
  var isOfReplacements: Bool {
    switch self {
    case .resumeNothing, .forgetState: true
    case .none, .launchEarly, .killNobody, .forgetTimer, .skipVerification, .takeOverEarly, .tellNobody,
      .leavePorts:
      false
    }
  }
}
