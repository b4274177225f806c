// TOML as a tree in which every key and every value knows where it was written.

/// A value with its place.
struct TOMLNode: Sendable {
  let value: TOMLValue
  let span: SourceSpan

  /// The entries of a table, in the order of the file; none of anything else.
  var entries: [TOMLEntry] {
    if case .table(let entries) = value { entries } else { [] }
  }
}

/// One `key = value` of a table.
struct TOMLEntry: Sendable {
  let key: String
  let keySpan: SourceSpan
  let node: TOMLNode
}

enum TOMLValue: Sendable {
  case string(String)
  case integer(Int64, IntegerForm)
  case float(Double)
  case boolean(Bool)
  case date, time, dateTime
  case array([TOMLNode])
  case table([TOMLEntry])

  enum IntegerForm { case octal, other }

  /// With its article, for "found …".
  var kind: String {
    switch self {
    case .string: "a string"
    case .integer: "an integer"
    case .float: "a float"
    case .boolean: "a boolean"
    case .date: "a date"
    case .time: "a time of day"
    case .dateTime: "a date and time"
    case .array: "an array"
    case .table: "a table"
    }
  }
}
