import Tensors

/// One typed value of a report. What it means decides how it is written: for people with a unit and few digits, for programs
/// exactly.
public enum Cell: Sendable, Equatable {
  /// Nothing was measured: empty for people, null for programs.
  case absent
  /// Words, written as they are.
  case text(String)
  /// A name, which may be shortened in the middle where room is scarce.
  case name(String)
  case flag(Bool)
  case count(Int)
  case bytes(Int)
  /// A ratio of energies in dB; infinite where there is no difference.
  case decibels(Double)
  /// A small number whose order of magnitude matters, such as an error or a divergence.
  case error(Double)
  /// A number with so many digits after the point.
  case number(Double, places: Int)
  /// A part of a whole, from 0 to 1: a percentage for people.
  case fraction(Double, places: Int = 1)
  case seconds(Double)
  /// Sizes of dimensions.
  case shape([Int])
  /// A length from 0 to 1, drawn for people; programs have the number it was made from.
  case bar(Double)

  /// For people. Not yet made safe to print.
  public var text: String {
    switch self {
    case .absent: ""
    case .text(let text), .name(let text): text
    case .flag(let flag): flag ? "yes" : "no"
    case .count(let count): "\(count)"
    case .bytes(let count): Quantity.bytes(count)
    case .decibels(let value): Quantity.decibels(value)
    case .error(let value): Quantity.scientific(value)
    case .number(let value, let places): Quantity.fixed(value, places)
    case .fraction(let value, let places): Quantity.fixed(100 * value, places) + " %"
    case .seconds(let value): value < 1 ? Quantity.fixed(value * 1000, 2) + " ms" : Quantity.duration(value)
    case .shape(let sizes): sizes.map(String.init).joined(separator: " x ")
    case .bar(let length):
      String(repeating: "#", count: Int((max(0, min(1, length)) * Double(Self.barWidth)).rounded()))
    }
  }

  static let barWidth = 20

  /// Whether it stands at the right of its column.
  var isNumber: Bool {
    switch self {
    case .absent, .text, .name, .flag, .shape, .bar: false
    case .count, .bytes, .decibels, .error, .number, .fraction, .seconds: true
    }
  }

  /// What rows are sorted and folded by.
  var magnitude: Double? {
    switch self {
    case .absent, .text, .name, .flag, .shape: nil
    case .count(let count), .bytes(let count): Double(count)
    case .decibels(let value), .error(let value), .seconds(let value), .bar(let value): value
    case .number(let value, _), .fraction(let value, _): value
    }
  }
}
