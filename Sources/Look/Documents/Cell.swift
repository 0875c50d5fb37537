import JSONText
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
  /// Words or names, one after another.
  case list([String])
  case flag(Bool)
  case count(Int)
  case bytes(Int)
  /// A number of parameters, rounded for people.
  case parameters(Int)
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
  /// Positions: the first and the last for people, the first and the one behind the last for programs.
  case range(Range<Int>)
  /// A length from 0 to 1, drawn for people; programs have the number it was made from.
  case bar(Double)
  /// A value of any form, for programs alone.
  case data(JSONValue)

  /// Bits that each of so many parameters takes; absent where there are none.
  public static func bitsPerWeight(bytes: Int, parameters: Int) -> Cell {
    parameters > 0 ? .number(8 * Double(bytes) / Double(parameters), places: 2) : .absent
  }

  /// For people. Not yet made safe to print.
  public var text: String {
    switch self {
    case .absent, .data: ""
    case .text(let text), .name(let text): text
    case .list(let items): items.joined(separator: ", ")
    case .flag(let flag): flag ? "yes" : "no"
    case .count(let count): "\(count)"
    case .bytes(let count): Quantity.bytes(count)
    case .parameters(let count): Quantity.parameters(count)
    case .decibels(let value): Quantity.decibels(value)
    case .error(let value): Quantity.scientific(value)
    case .number(let value, let places): Quantity.fixed(value, places)
    case .fraction(let value, let places): Quantity.fixed(100 * value, places) + " %"
    case .seconds(let value): value < 1 ? Quantity.fixed(value * 1000, 2) + " ms" : Quantity.duration(value)
    case .shape(let sizes): sizes.map(String.init).joined(separator: " x ")
    case .range(let range): range.isEmpty ? "none" : "\(range.lowerBound)-\(range.upperBound - 1)"
    case .bar(let length):
      String(repeating: "#", count: Int((max(0, min(1, length)) * Double(Self.barWidth)).rounded()))
    }
  }

  static let barWidth = 20

  /// Whether it stands at the right of its column.
  var isNumber: Bool {
    switch self {
    case .absent, .text, .name, .list, .flag, .shape, .range, .bar, .data: false
    case .count, .bytes, .parameters, .decibels, .error, .number, .fraction, .seconds: true
    }
  }

  /// What rows are sorted and folded by.
  var magnitude: Double? {
    switch self {
    case .absent, .text, .name, .list, .flag, .shape, .range, .data: nil
    case .count(let count), .bytes(let count), .parameters(let count): Double(count)
    case .decibels(let value), .error(let value), .seconds(let value), .bar(let value): value
    case .number(let value, _), .fraction(let value, _): value
    }
  }
}
