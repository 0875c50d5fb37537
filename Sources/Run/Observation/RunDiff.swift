import Foundation
import Kernels
import NetworkRuntime
import Tensors

/// Compares two runs: the same inputs and noise go through both, and every operation's output is compared as it comes, in constant
/// memory.
public final class RunDiff {
  /// One operation; of phases with many steps the first.
  public struct Row: Sendable {
    public let phase: String
    public let path: String
    public let kind: NetworkOperation.Kind
    /// The matrix that it multiplies with, or looks rows up in.
    public let weight: String?
    public internal(set) var values = ValueDifference()
    /// Index of the first value of the second model that is infinite or NaN.
    public internal(set) var firstNonFinite: Int?
  }

  /// The state of a sampler after one step.
  public struct Step: Sendable {
    public let phase: String
    public let step: Int
    public let values: ValueDifference
  }

  /// How two lists of logits differ, over all that were compared.
  public struct Logits: Sendable, Equatable {
    public internal(set) var count = 0
    /// Mean Kullback-Leibler divergence of the second from the first, in nats.
    public internal(set) var meanKL = 0.0
    public internal(set) var largestKL = 0.0
    /// Part of the positions at which both find the same token most likely.
    public internal(set) var topAgreement = 0.0
  }

  /// In the order of execution.
  public private(set) var rows: [Row] = []
  /// Empty, like ``logits`` and ``picturePSNR``, where differences are local: what was replaced on the way says nothing of the end.
  public private(set) var steps: [Step] = []
  public private(set) var logits = Logits()
  /// Of the pictures, in dB; infinite where they are equal, nil where there is none to compare.
  public private(set) var picturePSNR: Double?
  /// The first token at which the answers part; nil where they do not.
  public private(set) var firstDifferentToken: Int?
  public private(set) var answers: [String] = []
  /// What the two have made, the first one's first.
  public var made: [RunResult] { results.compactMap { $0 } }
  /// Whether every operation of the second model read what the first one's did.
  public let isLocal: Bool
  /// Rows of the second run's activations that were rounded to 8 bits, and those of them that 8 bits suit badly
  /// (``ObservedValues/outlierRatio``).
  public private(set) var roundedRowCount = 0
  public private(set) var outlierRowCount = 0
  /// How each side's products were computed.
  public let modes: [ComputeMode]

  /// What both runs consist of.
  public let outline: PipelineOutline

  private var numbers: [String: Int] = [:]
  private var results: [RunResult?] = [nil, nil]

  /// - Parameter isLocal: whether each output of the second run is replaced by the first one's after it was compared, so that an
  ///   operation's difference is its own.
  /// - Throws: what either run throws, or ``ObservationError``.
  public init(_ a: any ObservedRun, _ b: any ObservedRun, isLocal: Bool = false) throws {
    self.isLocal = isLocal
    outline = a.outline
    modes = [a.mode, b.mode]
    // What either cannot do is told before the work.
    for run in [a, b] { try run.check() }
    nonisolated(unsafe) let this = self
    let lockstep = Lockstep { place, operation, first, second in this.compare(place, operation, first, second) }
    try lockstep.run(
      { this.results[0] = try a.run(observers: [$0]) }, { this.results[1] = try b.run(observers: [$0]) })
    (outlierRowCount, roundedRowCount) = lockstep.outliers.withLock { ($0.rows, $0.count) }
    if let first = results[0], let second = results[1] { compare(first, second) }
    if logits.count > 0 {
      logits.meanKL /= Double(logits.count)
      logits.topAgreement /= Double(logits.count)
    }
  }

  private func compare(_ first: RunResult, _ second: RunResult) {
    if let a = first.picture, let b = second.picture, !isLocal { picturePSNR = Self.psnr(a.pixels, b.pixels) }
    if !first.tokens.isEmpty, first.tokens != second.tokens {
      firstDifferentToken = zip(first.tokens, second.tokens).prefix { $0 == $1 }.count
    }
    answers = [first, second].compactMap(\.answer)
  }

  private func compare(
    _ place: Lockstep.Place, _ operation: NetworkOperation, _ first: Activation, _ second: Activation
  ) {
    var values = ValueDifference()
    values.add(UnsafeBufferPointer(first.values), UnsafeBufferPointer(second.values))
    if outline.samplers.contains(where: { $0.phase == place.phase && $0.path == place.path }) {
      if !isLocal { steps.append(Step(phase: place.phase, step: place.step, values: values)) }
    } else if place.step == 0 {
      let key = place.phase + "/" + place.path
      if let number = numbers[key] {
        rows[number].values.add(UnsafeBufferPointer(first.values), UnsafeBufferPointer(second.values))
      } else {
        numbers[key] = rows.count
        var row = Row(
          phase: place.phase, path: place.path, kind: operation.kind, weight: operation.weight, values: values)
        if second.nonFiniteCount > 0 { row.firstNonFinite = second.values.firstIndex { !$0.isFinite } }
        rows.append(row)
      }
    }
    if place.path == outline.logitsPath, !isLocal { compareLogits(first, second) }
    if isLocal { second.values.baseAddress!.update(from: first.base, count: first.count) }
  }

  private func compareLogits(_ first: Activation, _ second: Activation) {
    for row in 0..<first.rowCount {
      let p = UnsafeBufferPointer(start: first.base + row * first.channels, count: first.channels)
      let q = UnsafeBufferPointer(start: second.base + row * first.channels, count: first.channels)
      let position = LogitsPosition(p, q)
      logits.count += 1
      logits.meanKL += position.divergence
      logits.largestKL = max(logits.largestKL, position.divergence)
      if position.isTopEqual { logits.topAgreement += 1 }
    }
  }

  static func psnr(_ a: [UInt8], _ b: [UInt8]) -> Double {
    guard a.count == b.count else { return -.infinity }
    let square = zip(a, b).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    return decibels(255 * 255 * Double(a.count), over: square)
  }
}
