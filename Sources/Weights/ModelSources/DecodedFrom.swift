/// What a file records of values that were decoded from an encoding before: so their first loss is never forgotten.
package enum DecodedFrom {
  private static let mark = "decoded from "

  /// - Parameter encoding: its name, with its loss where that is known.
  package static func text(_ encoding: String) -> String { mark + encoding }

  /// The encoding that a method's text names; nil for values that came as they were.
  package static func encoding(in method: String) -> String? {
    method.firstRange(of: mark).map { String(method[$0.upperBound...]) }
  }
}
