// Times as people write them on the command line: "60s", "1m30s", "250ms".

package enum DurationText {
  private static let units: [(name: String, milliseconds: Int)] = [
    ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
  ]

  /// Milliseconds; nil when the text is no time or is longer than ten years.
  ///
  /// A number alone means seconds.
  package static func milliseconds(_ text: String) -> Int? {
    if let seconds = Int(text) { return bounded(seconds, 1000) }
    var total = 0
    var rest = text[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      let letters = rest.dropFirst(digits.count).prefix { $0.isLetter }
      guard let number = Int(digits), let unit = units.first(where: { $0.name == letters }),
        let part = bounded(number, unit.milliseconds), let sum = bounded(total + part, 1)
      else { return nil }
      total = sum
      rest = rest.dropFirst(digits.count + letters.count)
    }
    return text.isEmpty ? nil : total
  }

  private static func bounded(_ count: Int, _ unit: Int) -> Int? {
    let (product, overflow) = count.multipliedReportingOverflow(by: unit)
    return overflow || !(0...315_360_000_000).contains(product) ? nil : product
  }
}
