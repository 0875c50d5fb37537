import Foundation

/// How two models' logits differ at one position. Sums are f64.
public struct LogitsPosition: Sendable {
  /// Kullback-Leibler divergence of the second from the first, in nats: the sum over p of p log(p / q), both softmaxes.
  public let divergence: Double
  /// Whether both find the same token most likely: of equals the first.
  public let isTopEqual: Bool
  /// Whether the first's most likely token is among the second's five.
  public let isInTopFive: Bool
  /// -log p of the token that came, by both; nil where none came.
  public let surprise: (reference: Double, model: Double)?
}

extension LogitsPosition {
  /// - Parameters:
  ///   - p, q: logits of the reference and the model, `[vocabulary]`.
  ///   - target: the token that came.
  public init(_ p: UnsafeBufferPointer<Float>, _ q: UnsafeBufferPointer<Float>, target: Int? = nil) {
    let (a, b) = (Self.logSum(p), Self.logSum(q))
    var sum = 0.0
    for index in p.indices {
      let logP = Double(p[index]) - a
      sum += exp(logP) * (logP - (Double(q[index]) - b))
    }
    // Of equal logits exactly 0; rounding never makes a distance negative. NaN stays what it is.
    divergence = sum < 0 ? 0 : sum
    let top = Self.top(p)
    isTopEqual = Self.top(q) == top
    // How many the model finds more likely; of equals the first comes first, as everywhere.
    var before = 0
    for index in q.indices where q[index] > q[top] || q[index] == q[top] && index < top { before += 1 }
    isInTopFive = before < 5
    surprise = target.map { (a - Double(p[$0]), b - Double(q[$0])) }
  }

  private static func logSum(_ x: UnsafeBufferPointer<Float>) -> Double {
    let top = Double(x.max() ?? 0)
    return top + log(x.reduce(0.0) { $0 + exp(Double($1) - top) })
  }

  private static func top(_ x: UnsafeBufferPointer<Float>) -> Int {
    var best = 0
    for index in x.indices where x[index] > x[best] { best = index }
    return best
  }
}
