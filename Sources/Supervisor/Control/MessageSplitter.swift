// Bytes as they come into messages as they were sent. Bounded: it never keeps more than one message and one read.

/// Splits a stream at its NUL bytes.
package struct MessageSplitter {
  private let limit: Int
  private var bytes: [UInt8] = []
  /// Where the first message that was not taken yet begins.
  private var start = 0
  /// Up to here there is no NUL.
  private var searched = 0

  /// `limit`: the longest message, in bytes, without its NUL.
  package init(limit: Int) { self.limit = limit }

  /// True while the beginning of a message is here and its end is not; valid after `next()` returned nil.
  package var isInMessage: Bool { start < bytes.count }

  /// What came and was not taken yet.
  package var rest: [UInt8] { Array(bytes[start...]) }

  package mutating func append(_ chunk: some Collection<UInt8>) {
    if start > 0 {
      bytes.removeFirst(start)
      searched -= start
      start = 0
    }
    bytes.append(contentsOf: chunk)
  }

  /// The next whole message, without its NUL; nil until more bytes come.
  package mutating func next() throws(WireError) -> [UInt8]? {
    guard let end = bytes[searched...].firstIndex(of: 0) else {
      searched = bytes.count
      if bytes.count - start > limit { throw .tooLong(limit: limit) }
      return nil
    }
    if end - start > limit { throw .tooLong(limit: limit) }
    defer {
      start = end + 1
      searched = start
      if start == bytes.count {
        bytes.removeAll(keepingCapacity: false)
        (start, searched) = (0, 0)
      }
    }
    return [UInt8](bytes[start..<end])
  }
}
