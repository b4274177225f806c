// The commands that people and programs wait for most, `restart NAME` and its like, without setting up the
// argument parser, which takes longer than the whole call. What it does not understand, the parser does.

import Supervisor

/// `[--control PATH] VERB [--json] [NAME…]` with a verb of services.
struct FastPath {
  private let verb: ServiceVerb
  private let names: [String]
  private let session: Session

  /// nil when the arguments are anything else.
  init?(_ arguments: [String]) {
    var session = Session(control: nil, format: .text)
    var words: [String] = []
    var index = 0
    while index < arguments.count {
      let argument = arguments[index]
      if argument == "--control", index + 1 < arguments.count, !arguments[index + 1].hasPrefix("-") {
        index += 1
        session.control = arguments[index]
      } else if argument == "--json" {
        session.format = .json
      } else if argument.hasPrefix("-") {
        return nil
      } else {
        words.append(argument)
      }
      index += 1
    }
    guard let first = words.first, let verb = ServiceVerb(rawValue: first), verb == .status || words.count > 1
    else {
      return nil
    }
    self.verb = verb
    self.names = Array(words.dropFirst())
    self.session = session
  }

  func run() -> Int32 { session.run { session throws(Failure) in try verb.run(names, session) } }
}
