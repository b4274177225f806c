// The control socket's server: who may come in, how many, and which methods there are. What a method does is
// the business of `onCall`.

import CLinux
import Glibc
import Supervisor

/// Serves the control protocol in the daemon's loop.
package final class ControlServer {
  let loop: EventLoop
  let limits: ControlLimits
  let socket: ControlSocket
  private let admission: ControlAdmission
  private let logLine: (String) -> Void
  let onCall: (ControlCall) -> Void
  private var source: EventSource?
  private var pause: EventSource?
  var work = Work.ordinary
  /// Given up for a moment when there are no descriptors left, so that a connection can be taken and closed.
  private var reserve: FileDescriptor?
  var connections: [UInt64: ControlConnection] = [:]
  var nextID: UInt64 = 0
  /// Said once until there is room again: a flood of connections must not become a flood of lines.
  private var saidFull = false

  /// Opens the socket and serves from the loop's next round on.
  ///
  /// `group` may use it beside root and the user of this process. `onCall` gets every well-formed call of a method
  /// of ours, and answers it now or later.
  package init(
    loop: EventLoop, path: String, group: String? = nil, limits: ControlLimits = ControlLimits(),
    log: @escaping (String) -> Void, onCall: @escaping (ControlCall) -> Void
  ) throws(ControlServerError) {
    self.loop = loop
    self.limits = limits
    self.logLine = log
    self.onCall = onCall
    admission = ControlAdmission(ownUID: geteuid(), isForGroup: group != nil)
    socket = try ControlSocket(path: path, group: group)
    do throws(SystemError) {
      reserve = try Self.openReserve()
      source = try loop.watch(socket.descriptor.number) { [weak self] _ in self?.acceptSome() }
    } catch { throw .system(error) }
  }

  /// Goes on with what another process handed over, from `begin()` on.
  package init(
    restoring snapshot: Snapshot, loop: EventLoop, isForGroup: Bool, limits: ControlLimits = ControlLimits(),
    log: @escaping (String) -> Void, onCall: @escaping (ControlCall) -> Void
  ) {
    self.loop = loop
    self.limits = limits
    self.logLine = log
    self.onCall = onCall
    admission = ControlAdmission(ownUID: geteuid(), isForGroup: isForGroup)
    socket = ControlSocket(restoring: snapshot.socket)
    work = .held
    restore(snapshot)
  }

  /// Whether calls are begun.
  enum Work {
    case ordinary
    /// The daemon is being replaced: who connects, or calls, waits.
    case held
  }

  /// Accepts from here on, when it was restored.
  func accept() throws(SystemError) {
    reserve = try Self.openReserve()
    source = try loop.watch(socket.descriptor.number) { [weak self] _ in self?.acceptSome() }
  }

  func setAccepting(_ enabled: EventSource.Enabled) { source?.setEnabled(enabled) }

  deinit { source?.cancel() }

  /// How many clients are connected.
  package var connectionCount: Int { connections.count }

  /// Disconnects everybody and removes the path if it still is ours.
  package func close() {
    source.take()?.cancel()
    pause.take()?.cancel()
    // The path goes first: whoever sees his connection end finds nobody there any more.
    socket.remove()
    for connection in connections.values { connection.close() }
  }

  private static func openReserve() throws(SystemError) -> FileDescriptor {
    try FileDescriptor.open("/dev/null", O_RDONLY)
  }
}

// Accepting.
extension ControlServer {
  private func acceptSome() {
    for _ in 0..<limits.acceptsInARow {
      let number = cl_accept(socket.descriptor.number)
      if number >= 0 {
        admit(FileDescriptor(owning: number))
        continue
      }
      switch errno {
      case EAGAIN: return
      case EINTR, ECONNABORTED: continue
      case EMFILE, ENFILE:
        if !makeRoom() { return pauseAccepting(SystemError("accept a control client", code: EMFILE)) }
      default: return pauseAccepting(SystemError("accept a control client"))
      }
    }
  }

  private func admit(_ descriptor: consuming FileDescriptor) {
    do throws(SystemError) {
      let peer = try UnixStream.peer(of: descriptor)
      if !admission.allows(peer.uid) {
        refuse(descriptor, peer)
        return
      }
      if connections.count >= limits.connections, !closeOldestIdle() {
        sayFull("all \(limits.connections) connections have calls in progress; a new one was refused")
        return
      }
      nextID += 1
      let connection = try ControlConnection(
        id: nextID, descriptor, peer: peer, loop: loop, limits: limits, owner: self)
      connections[nextID] = connection
      connection.begin()
    } catch { logLine("cannot serve a control client: \(error)") }
  }

  private func refuse(_ descriptor: borrowing FileDescriptor, _ peer: UnixStream.Peer) {
    let message = "user id \(peer.uid) may not use the control socket; ask for membership in control_group"
    do throws(WireError) {
      var output = OutputQueue()
      let parameters = try Wire.encode(ErrorParameters(message: message))
      output.append(Wire.error(ControlError.permissionDenied.wireName, parameters: parameters))
      // Some bytes into an empty socket: the kernel takes them, and keeps them for the client after the close.
      _ = output.send(to: descriptor)
    } catch { logLine("cannot refuse a control client: \(error)") }
  }

  /// Gives a descriptor back, or gets rid of one waiting client; false when neither can be done now.
  private func makeRoom() -> Bool {
    if closeOldestIdle() { return true }
    guard let spare = reserve.take() else { return false }
    spare.close()
    let number = cl_accept(socket.descriptor.number)
    if number >= 0 { FileDescriptor(owning: number).close() }
    sayFull("no descriptors are left; a new control client was refused")
    do throws(SystemError) {
      reserve = try Self.openReserve()
      return true
    } catch { return false }
  }

  /// Leaves the listener alone for a while: it stays readable, and would be reported again and again.
  private func pauseAccepting(_ error: SystemError) {
    logLine("\(error); trying again in \(limits.acceptPause.text)")
    source?.setEnabled(.off)
    do throws(SystemError) {
      pause = try loop.timer(at: Clock.now() + limits.acceptPause) { [weak self] in self?.resumeAccepting() }
    } catch {
      source?.setEnabled(.on)
      logLine("\(error)")
    }
  }

  private func resumeAccepting() {
    pause = nil
    if reserve == nil {
      do throws(SystemError) {
        reserve = try Self.openReserve()
      } catch { return pauseAccepting(error) }
    }
    source?.setEnabled(.on)
  }

  private func closeOldestIdle() -> Bool {
    guard let oldest = connections.values.filter(\.isIdle).min(by: { $0.id < $1.id }) else { return false }
    sayFull("the oldest control client without a call in progress made room for a new one")
    oldest.close()
    return true
  }

  private func sayFull(_ line: String) {
    if !saidFull { logLine(line) }
    saidFull = true
  }
}

extension ControlServer: ControlConnectionOwner {
  var mayBeginCalls: Bool { work == .ordinary }

  func connectionEnded(_ connection: ControlConnection) {
    connections[connection.id] = nil
    if connections.count < limits.connections / 2 { saidFull = false }
  }

  func log(_ line: String) { logLine(line) }

  func connection(_ connection: ControlConnection, received message: [UInt8]) {
    guard let object = JSONObject(message), let name = object.string("method"),
      let dot = name.lastIndex(of: ".")
    else { return connection.abort("sent something that is no Varlink call") }
    let request = Request(
      interface: String(name[..<dot]), method: String(name[name.index(after: dot)...]),
      parameters: object["parameters"].map { [UInt8]($0) } ?? Array("{}".utf8),
      mode: object.flag("oneway") ? .oneWay : object.flag("more") ? .more : .single)
    if object.flag("upgrade") {
      return answer(request, connection).finish(standardError: .invalidParameter, about: "upgrade")
    }
    dispatch(request, connection)
  }

  private struct Request {
    var interface: String
    var method: String
    var parameters: [UInt8]
    var mode: ControlCall.Mode
  }

  private func dispatch(_ request: Request, _ connection: ControlConnection) {
    switch request.interface {
    case ControlMethod.interface:
      guard let method = ControlMethod(rawValue: request.method) else {
        return answer(request, connection).finish(standardError: .methodNotFound, about: request.method)
      }
      onCall(answer(request, connection, method))
    case VarlinkService.interface: introspect(request, answer(request, connection))
    default: answer(request, connection).finish(standardError: .interfaceNotFound, about: request.interface)
    }
  }

  private func introspect(_ request: Request, _ call: ControlCall) {
    switch VarlinkService.Method(rawValue: request.method) {
    case .getInfo: call.reply(VarlinkService.Identification())
    case .getInterfaceDescription:
      do throws(ControlCall.AlreadyAnswered) {
        let wanted = try call.parameters(as: VarlinkService.InterfaceName.self).interface
        guard let text = VarlinkService.description(of: wanted) else {
          return call.finish(standardError: .interfaceNotFound, about: wanted)
        }
        call.reply(VarlinkService.InterfaceText(description: text))
      } catch {}
    case nil: call.finish(standardError: .methodNotFound, about: request.method)
    }
  }

  /// The call that carries the answer to a request.
  private func answer(
    _ request: Request, _ connection: ControlConnection, _ method: ControlMethod = .status
  ) -> ControlCall {
    let call = ControlCall(
      method, parameters: request.parameters, mode: request.mode, peer: connection.peer,
      connection: connection)
    connection.start(call)
    return call
  }
}
