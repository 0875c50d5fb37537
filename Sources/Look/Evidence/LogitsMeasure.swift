import Foundation
import Observation

/// How a model's logits differ from the reference's, over many documents. Sums are f64; each position's divergence is kept, 8 bytes.
public struct LogitsMeasure: Sendable {
  /// Kullback-Leibler divergences of the model from the reference in nats, a list a document.
  private var divergences: [[Double]] = []
  private var topCount = 0
  private var topFiveCount = 0
  /// Sums of -log p of the tokens that came.
  private var referenceSurprise = 0.0
  private var surprise = 0.0
  private var surpriseCount = 0

  public init() {}

  mutating func begin() { divergences.append([]) }

  mutating func add(_ position: LogitsPosition) {
    divergences[divergences.count - 1].append(position.divergence)
    if position.isTopEqual { topCount += 1 }
    if position.isInTopFive { topFiveCount += 1 }
    if let both = position.surprise {
      referenceSurprise += both.reference
      surprise += both.model
      surpriseCount += 1
    }
  }

  // MARK: Figures

  public var documentCount: Int { divergences.count }
  public var positionCount: Int { divergences.reduce(0) { $0 + $1.count } }
  private func part(_ count: Int) -> Double? { positionCount > 0 ? Double(count) / Double(positionCount) : nil }

  /// Over all positions, in nats.
  public var meanKL: Double? {
    positionCount > 0 ? divergences.reduce(0) { $0 + $1.reduce(0, +) } / Double(positionCount) : nil
  }

  /// The standard error of the mean where documents are independent of each other and positions within one are not:
  /// sqrt(D / (D - 1) sum over documents of (n (m - mean))^2) / N. Nil for fewer than two documents.
  ///
  /// Source: the ratio estimator for clusters, such as Cochran, Sampling Techniques, section 6.
  public var standardError: Double? {
    guard documentCount > 1, let mean = meanKL else { return nil }
    let square = divergences.reduce(0.0) { sum, document in
      let residual = document.reduce(0, +) - Double(document.count) * mean
      return sum + residual * residual
    }
    let documents = Double(documentCount)
    return (documents / (documents - 1) * square).squareRoot() / Double(positionCount)
  }

  /// All divergences in order; NaN alone where any is NaN, so that every figure of them is.
  private var sorted: [Double] {
    let all = divergences.flatMap(\.self)
    return all.contains(where: \.isNaN) ? all.map { _ in .nan } : all.sorted()
  }

  /// A quantile of the divergences, linear between neighbours as NumPy's; nil unless at least ten positions lie beyond it.
  public func quantile(_ part: Double) -> Double? {
    let sorted = sorted
    guard (1 - part) * Double(sorted.count) >= 10 - 1e-9 else { return nil }
    let place = part * Double(sorted.count - 1)
    let low = Int(place)
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
  }

  public var median: Double? {
    let sorted = sorted
    guard !sorted.isEmpty else { return nil }
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }

  public var largestKL: Double? { sorted.last }

  /// Part of the positions where both find the same token most likely.
  public var topAgreement: Double? { part(topCount) }
  /// Part of the positions where the reference's most likely token is among the model's five most likely.
  public var topFiveAgreement: Double? { part(topFiveCount) }
  /// Of the tokens that came: exp of the mean of -log p.
  public var perplexity: Double? { surpriseCount > 0 ? exp(surprise / Double(surpriseCount)) : nil }
  public var referencePerplexity: Double? {
    surpriseCount > 0 ? exp(referenceSurprise / Double(surpriseCount)) : nil
  }
}
