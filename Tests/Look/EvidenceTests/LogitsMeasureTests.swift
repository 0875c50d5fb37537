@testable import Evidence
@testable import Observation
import Testing

@Suite struct LogitsMeasureTests {
  private static let reference: [Float] = [2, 1, 0.5, -1, 0.25, 3, -2]
  private static let model: [Float] = [1.5, 1.25, 0, -1, 0.75, 2.5, 0.5]

  private func position(_ p: [Float], _ q: [Float], target: Int? = nil) -> LogitsPosition {
    p.withUnsafeBufferPointer { p in q.withUnsafeBufferPointer { LogitsPosition(p, $0, target: target) } }
  }

  /// Known answers: numpy in float64, sum of exp(log p) (log p - log q).
  @Test func divergenceAndSurpriseAreNumPys() {
    let found = position(Self.reference, Self.model, target: 2)
    #expect(abs(found.divergence - 0.09860203844549273) < 1e-15)
    #expect(abs(found.surprise!.reference - 3.015383921001591) < 1e-14)
    #expect(abs(found.surprise!.model - 3.2303349858540846) < 1e-14)
  }

  @Test func equalLogitsDivergeByNothing() {
    #expect(position(Self.model, Self.model).divergence == 0)
    // Logits say the same where a number is added to all.
    #expect(position(Self.model, Self.model.map { $0 + 4 }).divergence < 1e-12)
  }

  @Test func choicesAreHeldAgainstTheReferences() {
    let found = position(Self.reference, Self.model)
    #expect(found.isTopEqual && found.isInTopFive)
    // The reference's choice is the sixth of the model: five are more likely.
    let sixth = position([0, 0, 0, 0, 0, 0, 9], [5, 4, 3, 2, 1, -1, 0])
    #expect(!sixth.isTopEqual && !sixth.isInTopFive)
    let fifth = position([0, 0, 0, 0, 0, 0, 9], [5, 4, 3, 2, -1, -1, 0])
    #expect(!fifth.isTopEqual && fifth.isInTopFive)
  }

  private func measure(_ documents: [[Double]]) -> LogitsMeasure {
    var measure = LogitsMeasure()
    for document in documents {
      measure.begin()
      for value in document {
        measure.add(.init(divergence: value, isTopEqual: true, isInTopFive: true, surprise: nil))
      }
    }
    return measure
  }

  /// Known answers: numpy, residuals of the documents (2, 3 and 1 positions).
  @Test func theErrorOfTheMeanIsThatOfDocuments() {
    let found = measure([[1, 3], [2, 2, 5], [4]])
    #expect(abs(found.meanKL! - 17.0 / 6) < 1e-15)
    #expect(abs(found.standardError! - 0.42763345328724034) < 1e-14)
    #expect(found.median == 2.5)
    #expect(measure([[1, 2]]).standardError == nil)
  }

  @Test func percentilesNeedTenPositionsBeyondThem() {
    let hundred = measure([(0..<100).map(Double.init)])
    #expect(abs(hundred.quantile(0.9)! - 89.1) < 1e-12)
    #expect(hundred.quantile(0.99) == nil)
    #expect(measure([(0..<99).map(Double.init)]).quantile(0.9) == nil)
  }

  /// What cannot be compared must not look as if it were equal.
  @Test func notANumberStaysSo() {
    #expect(position(Self.reference, [1, .nan, 0, 0, 0, 0, 0]).divergence.isNaN)
    let found = measure([[1, .nan], [2, 3]])
    #expect(found.meanKL!.isNaN && found.median!.isNaN && found.largestKL!.isNaN)
  }

  @Test func nothingMeasuredIsNoNumber() {
    let found = LogitsMeasure()
    #expect(found.meanKL == nil && found.median == nil && found.topAgreement == nil && found.perplexity == nil)
  }
}
