import Foundation
import TestSupport

extension SeededGenerator {
  /// Standard normal deviates with the tails that they should have, for figures of quality.
  mutating func boxMullerNormals(_ count: Int) -> [Float] {
    (0..<count).map { _ in
      let u = (Double(next() >> 11) + 0.5) / Double(1 << 53)
      let v = Double(next() >> 11) / Double(1 << 53)
      return Float((-2 * log(u)).squareRoot() * cos(2 * Double.pi * v))
    }
  }
}
