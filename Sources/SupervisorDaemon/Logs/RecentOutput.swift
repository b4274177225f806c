// The last output of one service, in memory. Costs nothing before the first byte.

/// A bounded memory of bytes: the oldest go first.
struct RecentOutput {
  /// Bytes.
  static let limit = 64 << 10

  private var bytes: [UInt8] = []
  /// Of these so many came since `mark()`.
  private var newer = 0

  init() {}

  /// Goes on with what another process remembered.
  init(restoring bytes: [UInt8]) { self.bytes = bytes }

  /// The end of what is remembered, from the beginning of a line where that is possible.
  func end(atMost count: Int) -> [UInt8] {
    guard bytes.count > count else { return bytes }
    let rest = bytes.suffix(count)
    return Array(rest.firstIndex(of: newline).map { rest[($0 + 1)...] } ?? rest)
  }

  mutating func add(_ new: UnsafeRawBufferPointer) {
    let new = UnsafeRawBufferPointer(rebasing: new.suffix(Self.limit))
    if bytes.count + new.count > Self.limit { makeRoom(for: new.count) }
    bytes.append(contentsOf: new)
    newer = min(newer + new.count, bytes.count)
  }

  /// What comes from here on is another generation's.
  mutating func mark() { newer = 0 }

  /// Ends a partial line.
  mutating func finishLine() {
    guard let last = bytes.last, last != newline else { return }
    bytes.append(newline)
    if newer > 0 { newer += 1 }
  }

  /// The last lines, at most `count`, the partial one included.
  func lines(_ count: Int) -> [String] { LogText.lastLines(count, of: bytes) }

  /// The same of what came since `mark()`.
  func newerLines(_ count: Int) -> [String] { LogText.lastLines(count, of: bytes.suffix(newer)) }

  /// Half goes at once, so that a byte is moved once and not with every addition; then to the end of the
  /// line.
  private mutating func makeRoom(for count: Int) {
    let cut = min(bytes.count, max(bytes.count + count - Self.limit, Self.limit / 2))
    let next = bytes[cut...].firstIndex(of: newline).map { $0 + 1 }
    bytes.removeFirst(next ?? cut)
    newer = min(newer, bytes.count)
  }
}
