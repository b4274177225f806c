// `sockets`, `holders` and `free`: who has which address. The walks run beside the loop.

import Supervisor

extension Daemon {
  func answerSockets(_ call: ControlCall) {
    let listeners = sockets.all
    search(Set(listeners.map(\.inode)), for: call) { [weak self] result in
      guard let self else { return }
      call.reply(SocketsReply(sockets: self.configuration.sockets.flatMap { self.rows(of: $0, result) }))
    }
  }

  private func rows(of definition: SocketDefinition, _ walk: HolderWalkResult?) -> [SocketStatus] {
    let users = graph.present.map { runtimes[$0].definition }.filter { $0.sockets.contains(definition.name) }
      .map(\.name)
    let open = sockets.listeners(of: definition.name)
    if open.isEmpty {
      return definition.addresses.map {
        SocketStatus(
          name: definition.name, address: $0.description, inode: 0, queued: nil, limit: nil, origin: "closed",
          services: users, holders: [])
      }
    }
    return open.map { listener in
      let queue = acceptQueue(of: listener)
      let holders = (walk?.holders ?? []).filter { $0.inode == listener.inode }
      return SocketStatus(
        name: definition.name, address: listener.address.description, inode: listener.inode,
        queued: queue?.queued,
        limit: queue?.limit, origin: listener.origin.rawValue, services: users,
        holders: holders.compactMap { record($0, address: listener.address) })
    }
  }

  private func acceptQueue(of listener: Listener) -> AcceptQueue? {
    guard listener.address.accepts else { return nil }
    do throws(SystemError) {
      return try socketTable.queue(ofInode: listener.inode, address: listener.address)
    } catch {
      log.log(.warning, "\(error)")
      return nil
    }
  }

  private func record(_ holder: HolderEntry, address: SocketAddress) -> HolderRecord? {
    guard let process = ProcessDescription.of(holder.pid) else { return nil }
    var record = HolderRecord(
      pid: holder.pid, fd: holder.fd, command: process.command, user: process.user, unit: process.unit,
      terminal: process.terminal, age: process.age.milliseconds / 1000, address: address.description,
      inode: holder.inode)
    attribute(&record)
    return record
  }

  private func attribute(_ record: inout HolderRecord) {
    guard let service = owner(of: record.pid) else { return }
    record.service = runtimes[service].definition.name
    // It holds the listener for the next daemon, and serves nobody.
    if keepers[record.pid] != nil || retainedKeepers[record.pid] != nil {
      record.command = "keeper of \(runtimes[service].definition.name)"
    }
    record.generation = retained(above: record.pid, of: service)?.generation ?? generation(of: service)
  }

  func answerHolders(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let parameters = try call.parameters(as: AddressParameters.self)
    guard let questions = questions(about: parameters.address, for: call) else { return }
    search(questions.reduce(into: []) { $0.formUnion($1.inodes) }, for: call) { [weak self] result in
      guard let self else { return }
      guard let result else { return call.fail(.failed, "the walk over /proc was ended; try again") }
      call.reply(self.reply(to: questions, result))
    }
  }

  func reply(to questions: [HolderQuestion], _ walk: HolderWalkResult) -> HoldersReply {
    var result = HoldersReply(address: "", holders: [], remarks: [])
    for question in questions {
      let part = question.reply(to: walk)
      result.address += (result.address.isEmpty ? "" : ", ") + part.address
      result.holders += part.holders
      result.remarks += part.remarks
    }
    for index in result.holders.indices { attribute(&result.holders[index]) }
    return result
  }

  /// An address, the name of a socket or of a service, or "" for every port; answers the call when it is none of them.
  func questions(about text: String, for call: ControlCall) -> [HolderQuestion]? {
    do {
      if text.isEmpty { return [try HolderQuestion(aboutEveryPortOf: socketTable)] }
      return try addresses(named: text).map { try HolderQuestion(about: $0, table: socketTable) }
    } catch let error as AddressError {
      call.fail(.invalidArgument, "invalid address \"\(ProcessTable.printable(text))\": \(error)")
    } catch {
      call.fail(.failed, "\(error)")
    }
    return nil
  }

  private func addresses(named text: String) throws(AddressError) -> [SocketAddress] {
    if let socket = configuration.sockets.first(where: { $0.name == text }) { return socket.addresses }
    if let service = configuration.services.first(where: { $0.name == text }) {
      let owned = configuration.sockets.filter { service.sockets.contains($0.name) }.flatMap(\.addresses)
      if !(owned + service.ports).isEmpty { return owned + service.ports }
    }
    return [try SocketAddress(parsing: text)]
  }

  /// Searches the machine for a call, for as long as its client waits.
  func search(_ inodes: Set<UInt64>, for call: ControlCall, _ onResult: @escaping (HolderWalkResult?) -> Void)
  {
    let key = requests.newKey()
    call.onClose = { [weak self] in self?.requests.end(key) }
    search(inodes) { [weak self] result in
      onResult(result)
      self?.requests.end(key)
    } keep: {
      if let search = $0 { requests.keep(search, under: key) }
    }
  }
}
