import JSONText

extension Cell {
  /// For programs.
  public var json: JSONValue {
    switch self {
    case .absent: .null
    case .text(let text), .name(let text): .string(text)
    case .flag(let flag): .bool(flag)
    case .list(let items): .array(items.map { .string($0) })
    case .count(let count), .bytes(let count), .parameters(let count): .int(count)
    case .decibels(let value), .error(let value), .seconds(let value), .bar(let value): .number(value)
    case .number(let value, _), .fraction(let value, _): .number(value)
    case .shape(let sizes): .array(sizes.map { .int($0) })
    case .range(let range): [.int(range.lowerBound), .int(range.upperBound)]
    case .data(let value): value
    }
  }
}

extension JSONValue {
  /// A number; those that JSON lacks are the strings `inf`, `-inf` and `nan`, so that null stays what was not measured.
  public static func number(_ value: Double) -> JSONValue {
    if value.isFinite { return .double(value) }
    return value.isNaN ? "nan" : (value < 0 ? "-inf" : "inf")
  }

  /// A number, or null where there is none.
  public static func number(_ value: Double?) -> JSONValue { value.map { number($0) } ?? .null }
}
