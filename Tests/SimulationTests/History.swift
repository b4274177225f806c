// One seeded history: a random world drives a graph of services, and every effect is checked.
// The world's own doings are in History+World.swift, effects in History+Effects.swift, the promises in
// History+Promises.swift.

import Supervisor
import SupervisorDaemon

/// A promise that was broken, with all it takes to see it again.
struct Violation: Error, CustomStringConvertible {
  var seed: UInt64
  var text: String
  /// What happened, when the history was run with a trace.
  var trace: [String]

  var description: String {
    "seed \(seed): \(text)" + trace.suffix(60).map { "\n  " + $0 }.joined()
  }
}

/// One random life of one to six services.
struct History {
  let seed: UInt64
  let mutation: Mutation
  var random: SplitMix64
  var graph: ServiceGraph
  var services: [SimulatedService]
  var numbers = ProcessNumbers()
  var now = Instant(nanoseconds: 1_000_000_000_000)
  /// Answers that are due at once, in the order in which they were asked for.
  var answers: [(service: Int, event: ServiceEvent)] = []
  var order: OrderOfServices
  /// The state of each service, as of the last fact.
  var phases: [Phase]
  /// The service that the configuration does not have at present.
  var removed: Int?
  /// From here on nothing goes wrong any more.
  private(set) var isBenign = false
  /// Services to which something happened since the last look at all they wait for.
  private var touched: [Int] = []
  var steps = 0
  var transitions: TransitionTable?
  var trace: [String]?

  /// Every history has so many random steps before the world becomes benign.
  static let randomSteps = 40
  /// What a benign world may take to come to rest, in steps and in time.
  static let benignSteps = 4000
  static let benignTime: Duration = .seconds(900)

  /// Whether the daemon is replaced in the middle, again and again; it has chances of its own, so that the
  /// histories without it stay what they are.
  enum Replacements { case never, often(SplitMix64) }
  var replacements = Replacements.never

  /// Whether strays may live on, and what they hold; with chances of its own, too.
  enum Sparing { case never, random(SplitMix64) }
  var sparing = Sparing.never

  init(seed: UInt64, mutation: Mutation = .none, isReplaced: Bool = false, isTraced: Bool = false) {
    self.seed = seed
    self.mutation = mutation
    if isReplaced { replacements = .often(SplitMix64(seed: ~seed)) }
    random = SplitMix64(seed: seed)
    var definitions = RandomDefinitions.make(&random)
    if seed % 4 == 1 {
      var chances = SplitMix64(seed: ~(seed << 1))
      for index in definitions.indices { RandomDefinitions.spare(&definitions[index], &chances) }
      sparing = .random(chances)
    }
    graph = ServiceGraph(definitions: definitions, seed: random.next())
    let index = Dictionary(uniqueKeysWithValues: definitions.enumerated().map { ($1.name, $0) })
    services = definitions.map { SimulatedService(definition: $0, index: index) }
    order = OrderOfServices(services: services)
    phases = services.map { _ in .stopped }
    trace = isTraced ? [] : nil
  }

  /// Runs one seed; what it throws tells how it came to that.
  static func run(seed: UInt64, mutation: Mutation = .none, isReplaced: Bool = false) throws(Violation) {
    var history = History(seed: seed, mutation: mutation, isReplaced: isReplaced)
    do {
      try history.run()
    } catch {
      var again = History(seed: seed, mutation: mutation, isReplaced: isReplaced, isTraced: true)
      try again.run()
      throw error
    }
  }

  mutating func run() throws(Violation) {
    for service in services.indices where random.oneIn(4) { try inherit(service) }
    try request(.start(Array(services.indices)))
    for _ in 0..<Self.randomSteps {
      try step()
      perhapsLeaveStray()
      try perhapsReplace()
    }
    becomeBenign()
    try addAgain()
    try comeToRest()
    try expectRequestsToBeSettled()
    if random.oneIn(2) {
      try request(.start(Array(services.indices)))
      try comeToRest()
      try expectRequestsToBeSettled()
      try expectAll("runs") { if case .running = $0.state { true } else { false } }
    }
    try request(.stop(Array(services.indices)))
    try comeToRest()
    try expectRequestsToBeSettled()
    try expectAll("is at rest") { $0.isAtRest }
    try expectAll("has the definition that it was given last") { $0.nextDefinition == nil }
    if !graph.isAtRest { throw violation("all services are at rest, but the graph is not") }
  }

  private mutating func becomeBenign() {
    isBenign = true
    for service in services {
      service.tree?.forEachLiving { $0.isStuck = false }
      if service.tree?.keeper == .stuck { service.tree?.keeper = .preparing }
      service.releasePort()
    }
  }

  /// Lets everything happen that is on its way, and all timers fire, until nothing is left to wait for.
  private mutating func comeToRest() throws(Violation) {
    let end = now + Self.benignTime
    var left = Self.benignSteps
    while try benignStep() {
      try perhapsReplace()
      left -= 1
      if left == 0 || now > end { throw violation("a benign world does not come to rest: \(states)") }
    }
  }

  /// What led to a list of effects.
  enum Cause {
    case request(Request)
    case fact(ServiceEvent, Int)
    /// The daemon was replaced.
    case replacement
  }

  enum Request {
    case start([Int])
    case stop([Int])
    case restart([Int])
    case redefine(Int, ServiceDefinition, ServiceEvent.Takeover)
    case remove(Int)
    case hurry
  }

  mutating func request(_ request: Request) throws(Violation) {
    order.note(request, phases: phases, graph: graph)
    let actions: [ServiceGraph.Action]
    switch request {
    case .start(let subjects):
      want(subjects, toStop: false)
      actions = graph.start(subjects, at: now)
    case .stop(let subjects):
      want(subjects, toStop: true)
      actions = graph.stop(subjects, at: now)
    case .restart(let subjects):
      want(subjects, toStop: false)
      actions = graph.restart(subjects, at: now)
    case .redefine(let service, let definition, let takeover):
      let real = mutation == .takeOverEarly ? ServiceEvent.Takeover.atOnce : takeover
      actions =
        graph.redefine(service, definition, real, at: now) + graph.relaunch([service], at: now)
    case .remove(let service):
      want([service], toStop: true)
      actions = graph.retire([service], at: now)
    case .hurry: actions = graph.hurry(at: now)
    }
    note("\(request)", actions)
    try follow(actions, from: .request(request))
    try answerAll()
    for service in services.indices { try checkPending(service) }
  }

  /// Notes what people want; who wants a service wants those that it requires.
  private func want(_ subjects: [Int], toStop: Bool) {
    for service in subjects {
      services[service].isUnsettled = true
      services[service].isToStop = toStop
    }
    if toStop { order.withRequirers(of: subjects).forEach { services[$0].isWanted = false } }
    // One that was removed is not started: nobody can want it, or through it others.
    var work = toStop ? [] : subjects.filter { $0 != removed }
    while let service = work.popLast() {
      services[service].isToStop = false
      services[service].isWanted = true
      work += services[service].required
    }
  }

  /// A fact arrives, and everything that follows at once.
  mutating func deliver(_ event: ServiceEvent, to service: Int) throws(Violation) {
    try handle(event, for: service)
    try answerAll()
  }

  private mutating func handle(_ event: ServiceEvent, for service: Int) throws(Violation) {
    steps += 1
    if case .treeEmptied(let generation) = event, generation == services[service].launched {
      services[service].emptied = generation
      if !services[service].isInTheWorld { services[service].tree = nil }
    }
    let actions = graph.handle(event, for: service, at: now)
    note("s\(service) \(event)", actions)
    try follow(actions, from: .fact(event, service))
    if mutation == .launchEarly, case .mainExited(let generation, _) = event {
      answers.append((service, .treeEmptied(generation: generation)))
    }
  }

  /// What follows from a request that nobody waits for.
  mutating func carryOut(_ actions: [ServiceGraph.Action]) throws(Violation) {
    note("added", actions)
    try follow(actions, from: .request(.start([])))
    try answerAll()
  }

  mutating func answerAll() throws(Violation) {
    var left = 200
    while !answers.isEmpty {
      let (service, event) = answers.removeFirst()
      try handle(event, for: service)
      left -= 1
      if left == 0 { throw violation("one fact leads to more than 200 others at once") }
    }
    for service in touched { try checkPending(service) }
    touched.removeAll(keepingCapacity: true)
  }

  /// Notes which states changed, checks the order of it, and carries out what was decided.
  mutating func follow(_ actions: [ServiceGraph.Action], from cause: Cause) throws(Violation) {
    let before = phases
    if case .fact(_, let service) = cause { touch(service) }
    for action in actions where touched.last != action.service { touch(action.service) }
    transitions?.record(cause, from: before, to: phases)
    try checkWishes(from: before, cause: cause)
    try order.check(from: before, to: phases, cause: cause, history: self)
    try perform(actions, cause: cause)
  }

  /// Without an effect no other service changes its state.
  private mutating func touch(_ service: Int) {
    touched.append(service)
    phases[service] = graph.machines[service].state.phase
  }

  mutating func note(_ cause: @autoclosure () -> String, _ actions: [ServiceGraph.Action]) {
    guard trace != nil else { return }
    let effects = actions.map { "s\($0.service).\($0.effect)" }.joined(separator: ", ")
    let line = "\(now.nanoseconds / 1000) µs \(cause()) → \(effects) [\(states)]"
    trace?.append(line)
  }

  func violation(_ text: String) -> Violation {
    Violation(seed: seed, text: text, trace: trace ?? [])
  }

  var states: String {
    graph.machines.map { "\($0.definition.name) \($0.state.name)" }.joined(separator: ", ")
  }
}
