// One call of a client, for whoever carries it out: answered at once or any time later, exactly once.

import Supervisor

/// A call in progress.
///
/// Everything is ignored after the reply, and after the client went away.
package final class ControlCall {
  package let method: ControlMethod
  /// The client takes `progress` before the reply.
  package let wantsMore: Bool
  package let peerUID: UInt32
  package let peerPID: Int32
  /// Called once when the client goes away before the reply: nobody waits for it any longer.
  package var onClose: (() -> Void)?
  /// Makes the message that tells a client that did not read how much progress it lost (the sum of the weights).
  ///
  /// Without it such a client is disconnected.
  package var dropRemark: ((Int) -> any Encodable)?

  private let parameters: [UInt8]
  private let isOneWay: Bool
  private weak var connection: ControlConnection?
  private var dropped = 0

  init(
    _ method: ControlMethod, parameters: [UInt8], mode: Mode, peer: UnixStream.Peer,
    connection: ControlConnection
  ) {
    self.method = method
    self.parameters = parameters
    self.wantsMore = mode == .more
    self.isOneWay = mode == .oneWay
    self.peerUID = peer.uid
    self.peerPID = peer.pid
    self.connection = connection
  }

  /// How many replies the client wants.
  enum Mode: String, Hashable, Sendable, Codable { case single, more, oneWay }

  /// One call at one moment.
  struct Snapshot: Hashable, Sendable, Codable {
    var method: String
    var parameters: ExactBytes
    var mode: Mode
    var dropped: Int
  }

  var snapshot: Snapshot {
    Snapshot(
      method: method.rawValue, parameters: ExactBytes(parameters),
      mode: isOneWay ? .oneWay : wantsMore ? .more : .single, dropped: dropped)
  }

  /// nil for a method that this version does not have.
  init?(restoring snapshot: Snapshot, peer: UnixStream.Peer, connection: ControlConnection) {
    guard let method = ControlMethod(rawValue: snapshot.method) else { return nil }
    self.method = method
    parameters = snapshot.parameters.bytes
    wantsMore = snapshot.mode == .more
    isOneWay = snapshot.mode == .oneWay
    dropped = snapshot.dropped
    peerUID = peer.uid
    peerPID = peer.pid
    self.connection = connection
  }

  /// The client is still there and waits.
  package var isOpen: Bool { connection?.carries(self) ?? false }

  /// Decodes the parameters.
  ///
  /// When that fails the call is answered with InvalidParameter, and `AlreadyAnswered` is thrown: there is
  /// nothing left to do.
  package func parameters<Value: Decodable>(as type: Value.Type) throws(AlreadyAnswered) -> Value {
    do throws(WireError) {
      return try Wire.decode(type, from: parameters)
    } catch {
      var member = "parameters"
      if case .unexpected(let name) = error { member = name }
      finish(standardError: .invalidParameter, about: member)
      throw AlreadyAnswered()
    }
  }

  package struct AlreadyAnswered: Error {}

  /// Sends one message before the reply, if the client wants that.
  ///
  /// `weight`: how many lines it stands for.
  package func progress(_ value: some Encodable, weight: Int = 1) {
    guard wantsMore, let connection, connection.carries(self) else { return }
    do throws(WireError) {
      let message = Wire.reply(try Wire.encode(value), continues: true)
      if dropped == 0, connection.hasRoom(for: message.count) { return connection.send(message) }
      if dropRemark == nil { return connection.abort("does not read what it asked for") }
      dropped += weight
    } catch { connection.abort("cannot be told: \(error)") }
  }

  /// The one successful answer.
  package func reply(_ value: some Encodable) {
    outputDrained()
    guard let connection, connection.carries(self) else { return }
    do throws(WireError) {
      let message = Wire.reply(try Wire.encode(value), continues: false)
      guard connection.hasRoom(for: message.count) else {
        return fail(.failed, "cannot send a reply of \(message.count) bytes; ask for less at a time")
      }
      connection.finish(self, with: isOneWay ? nil : message)
    } catch { fail(.failed, "cannot answer: \(error)") }
  }

  /// The one answer that says no.
  ///
  /// `message` is one line for people.
  package func fail(_ error: ControlError, _ message: String) {
    finish(error: error.wireName, ErrorParameters(message: message))
  }

  /// An answer of the protocol itself.
  func finish(standardError error: VarlinkService.StandardError, about subject: String) {
    finish(error: error.wireName, [error.parameter: subject])
  }

  /// The client has read everything, or nothing more follows: now it is told what it lost.
  func outputDrained() {
    guard dropped > 0, let remark = dropRemark else { return }
    let lost = dropped
    dropped = 0
    progress(remark(lost), weight: 0)
  }

  /// The connection is gone.
  func clientLeft() {
    connection = nil
    let onClose = self.onClose.take()
    onClose?()
  }

  private func finish(error: String, _ parameters: some Encodable) {
    guard let connection, connection.carries(self) else { return }
    do throws(WireError) {
      connection.finish(
        self, with: isOneWay ? nil : Wire.error(error, parameters: try Wire.encode(parameters)))
    } catch { connection.abort("cannot be answered") }
  }
}
