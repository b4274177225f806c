// `free ADDR`: the person asked for just that, so the foreign holders of an address are ended: SIGTERM, then SIGKILL.

import Glibc
import Supervisor

/// One request to free an address, until its holders are gone or do not go.
final class FreeRequest {
  private let loop: EventLoop
  private let onEnd: ([String]) -> Void
  private var holders: [Holder] = []
  private var timer: EventSource?
  private var remarks: [String] = []
  private var phase = Phase.terminating

  private enum Phase { case terminating, killing, over }

  private final class Holder {
    let description: ProcessDescription
    let pidfd: PidFD
    var source: EventSource?
    init(_ description: ProcessDescription, _ pidfd: consuming PidFD) {
      self.description = description
      self.pidfd = pidfd
    }
    deinit { source?.cancel() }
  }

  /// - Parameter onEnd: called once, with what was done: one line each.
  init(loop: EventLoop, onEnd: @escaping ([String]) -> Void) {
    self.loop = loop
    self.onEnd = onEnd
  }

  /// Signals the processes.
  ///
  /// They were seen as holders a moment ago; their identity is checked with the pidfd.
  func begin(_ processes: [ProcessDescription]) {
    for process in processes {
      do throws(SystemError) {
        let holder = Holder(process, try PidFD.open(process.identity))
        holder.source = try loop.watch(holder.pidfd.descriptor.number) { [weak self, weak holder] _ in
          if let holder { self?.exited(holder) }
        }
        _ = try holder.pidfd.send(SIGTERM)
        _ = try holder.pidfd.send(SIGCONT)
        holders.append(holder)
      } catch { remarks.append(HolderRemoval.failure(error, process)) }
    }
    holders.isEmpty ? end() : wait()
  }

  private func wait() {
    do throws(SystemError) {
      timer = try loop.timer(at: Clock.now() + HolderRemoval.patience) { [weak self] in self?.timeIsOver() }
    } catch {
      remarks.append(error.description)
      end()
    }
  }

  private func timeIsOver() {
    guard phase == .terminating else {
      remarks += holders.map { HolderRemoval.survives($0.description) }
      return end()
    }
    phase = .killing
    for holder in holders {
      do throws(SystemError) { _ = try holder.pidfd.send(SIGKILL) } catch {
        remarks.append(error.description)
      }
    }
    wait()
  }

  private func exited(_ holder: Holder) {
    holders.removeAll { $0 === holder }
    holder.source?.cancel()
    remarks.append(HolderRemoval.ended(holder.description, by: phase == .terminating ? SIGTERM : SIGKILL))
    if holders.isEmpty { end() }
  }

  private func end() {
    guard phase != .over else { return }
    phase = .over
    timer = nil
    holders = []
    onEnd(remarks)
  }
}

extension Daemon {
  func answerFree(_ call: ControlCall) throws(ControlCall.AlreadyAnswered) {
    let parameters = try call.parameters(as: AddressParameters.self)
    guard !parameters.address.isEmpty else { return call.fail(.invalidArgument, "say which address") }
    guard let questions = questions(about: parameters.address, for: call) else { return }
    search(questions.reduce(into: []) { $0.formUnion($1.inodes) }, for: call) { [weak self] result in
      guard let self else { return }
      guard let result else { return call.fail(.failed, "the walk over /proc was ended; try again") }
      let reply = self.reply(to: questions, result)
      if reply.holders.isEmpty { return call.reply(reply) }
      self.free(reply, only: parameters.pids, parameters.address, call)
    }
  }

  private func free(_ found: HoldersReply, only pids: [Int32]?, _ address: String, _ call: ControlCall) {
    var refused: [String] = []
    var chosen: [ProcessDescription] = []
    for pid in Set(found.holders.map(\.pid)).sorted() where pids?.contains(pid) ?? true {
      guard let process = ProcessDescription.of(pid) else { continue }
      if let reason = refusal(pid) {
        refused.append("\(process) is spared: \(reason)")
      } else {
        chosen.append(process)
      }
    }
    if chosen.isEmpty { return call.fail(.failed, refused.joined(separator: "; ")) }
    let key = requests.newKey()
    let request = FreeRequest(loop: loop) { [weak self] remarks in
      guard let self else { return }
      self.requests.end(key)
      for remark in remarks {
        self.log.log(.notice, "free \(address): \(remark), as pid \(call.peerPID) asked")
      }
      self.replyAfterFreeing(address, refused + remarks, call)
    }
    requests.keep(request, under: key)
    request.begin(chosen)
  }

  private func refusal(_ pid: Int32) -> String? {
    if pid == ownPID { return "it is this daemon; the address is an owned socket" }
    if pid == 1 { return "it is PID 1; stop its socket unit instead" }
    // Who lives on of an earlier generation is not ended by a stop.
    if let service = owner(of: pid), retainedKeepers[pid] != nil || retained(above: pid, of: service) == nil {
      return "it belongs to service \(runtimes[service].definition.name); use stop instead"
    }
    return nil
  }

  /// Looks once more who is left.
  private func replyAfterFreeing(_ address: String, _ remarks: [String], _ call: ControlCall) {
    guard call.isOpen, let questions = questions(about: address, for: call) else { return }
    search(questions.reduce(into: []) { $0.formUnion($1.inodes) }, for: call) { [weak self] result in
      guard let self else { return }
      var reply = self.reply(to: questions, result ?? HolderWalkResult(holders: []))
      reply.remarks = remarks + reply.remarks
      call.reply(reply)
    }
  }
}
