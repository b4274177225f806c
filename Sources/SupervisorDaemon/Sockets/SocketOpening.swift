// One attempt to open one address of one socket: the steps from socket(2) to listen(2).

import CLinux
import Glibc
import Supervisor

/// A socket that is bound and, where its kind does so, listens.
struct OpenedSocket: ~Copyable {
  var descriptor: FileDescriptor
  /// As getsockname(2) has it.
  var address: SocketAddress
  /// Unix paths only.
  var entry: PathEntry?
  /// What the kernel gave less of than asked for.
  var remarks: [String]
}

/// What is to be opened; every failure names it.
struct SocketOpening {
  let socket: String
  let address: SocketAddress
  let options: SocketOptions

  /// Opens, close-on-exec from birth, blocking: accepting is the service's business, not the daemon's.
  func open() throws(SocketError) -> OpenedSocket {
    let type = address.socketType | SocketType.closeOnExec
    let descriptor = FileDescriptor(
      owning: try check(.create) { Glibc.socket(address.family, type, 0) })
    try setOptions(on: descriptor.number, at: .beforeBind)
    var remarks: [String] = []
    try setBuffers(on: descriptor.number, &remarks)
    let entry = try bind(descriptor.number)
    do throws(SocketError) {
      if address.accepts { try listen(on: descriptor.number) }
    } catch {
      if let entry { withdraw(entry) }
      throw error
    }
    let actual = bound(descriptor.number) ?? address
    return OpenedSocket(descriptor: descriptor, address: actual, entry: entry, remarks: remarks)
  }

  /// Makes it listen, or sets the length of its queue anew when it does already, listen(2).
  func listen(on number: CInt) throws(SocketError) {
    _ = try check(.listen) { Glibc.listen(number, CInt(clamping: options.backlog)) }
  }

  /// What can be changed of a socket that somebody else bound; one remark for each option that can't.
  func applyToBound(_ number: CInt) -> [String] {
    var remarks: [String] = []
    for option in options.kernelOptions(for: address) {
      switch option.time {
      case .always:
        if let code = option.set(on: number) {
          remarks.append(failure(.option(option.key), code).description)
        }
      case .beforeBind:
        if let has = option.current(on: number), (has != 0) != (option.value != 0) {
          remarks.append(
            "\(named) came with \(option.key) \(has == 0 ? "off" : "on"), which can't be changed any more")
        }
      }
    }
    do throws(SocketError) { try setBuffers(on: number, &remarks) } catch {
      remarks.append(error.description)
    }
    return remarks
  }

  /// The same, at another address.
  func at(_ address: SocketAddress) -> SocketOpening {
    SocketOpening(socket: socket, address: address, options: options)
  }

  /// For remarks: socket "web" (127.0.0.1:80).
  var named: String { "socket \"\(socket)\" (\(address))" }

  func failure(_ step: SocketError.Step, _ code: Int32) -> SocketError {
    SocketError(socket: socket, address: address, step: step, code: code)
  }

  private func check(_ step: SocketError.Step, _ call: () -> CInt) throws(SocketError) -> CInt {
    do throws(SystemError) { return try retrying("", "", call) } catch { throw failure(step, error.code) }
  }

  private func bound(_ number: CInt) -> SocketAddress? {
    // An address that was given with port 0 is known only now. A path stays as the configuration spells it.
    guard address.port != nil else { return address }
    do throws(SystemError) {
      let kernel = try KernelAddress(of: number)
      let type = address.socketType
      return kernel.decoded(
        type: type, protocolNumber: CInt(type == SocketType.stream ? IPPROTO_TCP : IPPROTO_UDP))
    } catch {
      return nil
    }
  }

  private func setOptions(on number: CInt, at time: KernelOption.Time) throws(SocketError) {
    // Before bind(2) all of them: those that may come later may come now as well.
    for option in options.kernelOptions(for: address) {
      if let code = option.set(on: number) { throw failure(.option(option.key), code) }
    }
    guard address.port != nil, let device = options.bindToDevice else { return }
    _ = try check(.option("bind_to_device")) {
      setsockopt(number, SOL_SOCKET, SO_BINDTODEVICE, device, socklen_t(device.utf8.count))
    }
  }

  private func setBuffers(on number: CInt, _ remarks: inout [String]) throws(SocketError) {
    for buffer in BufferOption.all(options) {
      switch buffer.set(on: number) {
      case .set: break
      case .failed(let code): throw failure(.option(buffer.key), code)
      case .capped(let got):
        remarks.append(
          "\(buffer.key) of \(named) is \(got) bytes instead of \(buffer.bytes); raise \(buffer.limit)")
      }
    }
  }

  private func bind(_ number: CInt) throws(SocketError) -> PathEntry? {
    if case .unix(_, .path(let path)) = address { return try bind(number, toPath: path) }
    try bindAddress(number)
    return nil
  }

  private func bindAddress(_ number: CInt) throws(SocketError) {
    let kernel = KernelAddress(address)
    _ = try check(.bind) { kernel.withPointer { Glibc.bind(number, $0, $1) } }
  }
}

// Binding to a path.
extension SocketOpening {
  /// Mode and owner hold from the first moment, and nobody's umask matters: the mode of the socket's own
  /// inode is what bind(2) gives the path, less the umask (unix_bind_bsd() in net/unix/af_unix.c).
  ///
  /// So it is bound with no permission at all, then given to its owner, and opened up last, before it
  /// listens.
  ///
  /// Binding to a temporary name and renaming it would do as well, but getsockname(2), ss(8) and whoever
  /// compares addresses would see the temporary name for ever.
  private func bind(_ number: CInt, toPath path: String) throws(SocketError) -> PathEntry {
    let owner: SocketOwner
    do throws(SocketOwner.NoSuchAccount) {
      owner = try SocketOwner(options)
    } catch {
      throw failure(.findAccount(error.account), 0)
    }
    try makeRoom(at: path)
    _ = try check(.changeMode) { fchmod(number, 0) }
    try bindAddress(number)
    // From here on everything happens to the inode behind `file`, whatever becomes of the path: a folder that
    // others may write to can't make us open up or give away another file (as in CVE-2018-15687).
    let file = FileDescriptor(owning: try check(.bind) { cl_open_path_entry(path) })
    let entry = try identify(file, path)
    do throws(SocketError) {
      if owner.user != nil || owner.group != nil {
        _ = try check(.changeOwner) { cl_change_owner(file.number, owner.user ?? ~0, owner.group ?? ~0) }
      }
      _ = try check(.changeMode) { cl_change_mode(file.number, mode_t(options.mode ?? 0o666)) }
    } catch {
      withdraw(entry)
      throw error
    }
    return entry
  }

  /// A socket, ours, with no permission at all and no other name: what bind(2) has just made, nothing else.
  private func identify(_ file: borrowing FileDescriptor, _ path: String) throws(SocketError) -> PathEntry {
    let status: stat
    do throws(SystemError) { status = try file.status() } catch { throw failure(.bind, error.code) }
    guard status.isSocket, status.st_uid == geteuid(), status.st_mode & 0o7777 == 0, status.st_nlink == 1
    else {
      throw failure(.pathTaken(by: "\(status.kindOfFile) that somebody put there meanwhile"), EEXIST)
    }
    return PathEntry(path: path, status: status)
  }

  /// Removes a stale socket; anything else that is there is an error.
  private func makeRoom(at path: String) throws(SocketError) {
    let status: stat
    do throws(SystemError) {
      status = try PathEntry.status(of: path)
    } catch {
      if error.code == ENOENT { return }  // bind(2) says whether the folder is there
      throw failure(.bind, error.code)
    }
    guard status.isSocket else { throw failure(.pathTaken(by: status.kindOfFile), EEXIST) }
    switch PathEntry.use(of: path) {
    case .inUse: throw failure(.bind, EADDRINUSE)
    case .unknown(ENOENT): return
    case .unknown(let code): throw failure(.proveStale, code)
    case .stale: break
    }
    do throws(SystemError) {
      // Replaced since we looked: bind(2) then finds the address in use.
      _ = try PathEntry(path: path, status: status).removeIfOurs()
    } catch {
      throw failure(.removeStale, error.code)
    }
  }

  /// Takes back a path that was bound for nothing.
  ///
  /// A failure leaves a stale path, which the next start replaces.
  private func withdraw(_ entry: PathEntry) {
    do throws(SystemError) { _ = try entry.removeIfOurs() } catch {}
  }
}
