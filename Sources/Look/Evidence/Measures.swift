import Foundation
import Kernels
import NetworkRuntime
import Observation
import PictureComparison
import Pictures
import Synchronization
import Tensors

/// How what a model makes differs from what the reference made, measured as it comes.
public final class Measures: RunSink {
  /// By kind of subject.
  public private(set) var logits: [EvidenceSubject.Kind: LogitsMeasure] = [:]
  /// States of samplers after each step, over all subjects, by phase.
  public private(set) var states: [String: [ValueDifference]] = [:]
  public private(set) var pictures: [(subject: EvidenceSubject, difference: PictureDifference)] = []
  public private(set) var answers: [Answer] = []

  public struct Answer: Sendable {
    public let subject: String
    public let question: String
    public let reference: String
    public let model: String
    /// The first token at which they part; nil where they do not.
    public let firstDifferentToken: Int?
  }

  private let reference: Record
  private let threadCount: Int
  /// The subject whose logits came last, and the tokens behind its positions.
  private var document: (name: String, targets: [Int])?
  /// Called with each painted picture.
  private let keep: (EvidenceSubject, Picture) throws -> Void

  init(
    against reference: Record, threadCount: Int, keep: @escaping (EvidenceSubject, Picture) throws -> Void = { _, _ in }
  ) {
    self.reference = reference
    self.threadCount = threadCount
    self.keep = keep
  }

  func logits(_ subject: EvidenceSubject, first: Int, width: Int, _ values: UnsafeBufferPointer<Float>) throws {
    let expected = try reference.floats(
      .logits(subject: subject.name, first: first), count: values.count, of: subject, what: "logits")
    let targets = try targets(of: subject)
    let rowCount = values.count / max(1, width)
    let found = Mutex([LogitsPosition?](repeating: nil, count: rowCount))
    nonisolated(unsafe) let values = values
    expected.withUnsafeBufferPointer { expected in
      nonisolated(unsafe) let expected = expected
      Workers.run(threadCount: threadCount, itemCount: rowCount) { _, row in
        let range = row * width..<(row + 1) * width
        let target = first + row < targets.count ? targets[first + row] : nil
        let position = LogitsPosition(
          UnsafeBufferPointer(rebasing: expected[range]), UnsafeBufferPointer(rebasing: values[range]),
          target: target.flatMap { $0 < width ? $0 : nil })
        found.withLock { $0[row] = position }
      }
    }
    for position in found.withLock({ $0 }) { logits[subject.kind]!.add(position!) }
  }

  /// The tokens that came behind the positions of a subject's logits.
  private func targets(of subject: EvidenceSubject) throws -> [Int] {
    if let document, document.name == subject.name { return document.targets }
    logits[subject.kind, default: LogitsMeasure()].begin()
    let targets: [Int] =
      switch subject.kind {
      case .text: Array(try reference.tokens(subject).dropFirst())
      case .answer: try reference.tokens(subject)
      case .painting: []
      }
    document = (subject.name, targets)
    return targets
  }

  func state(_ subject: EvidenceSubject, phase: String, step: Int, _ values: UnsafeBufferPointer<Float>) throws {
    let expected = try reference.floats(
      .state(subject: subject.name, phase: phase, step: step), count: values.count, of: subject, what: "states")
    while states[phase, default: []].count <= step { states[phase, default: []].append(ValueDifference()) }
    expected.withUnsafeBufferPointer { states[phase]![step].add($0, values) }
  }

  func finish(_ subject: EvidenceSubject, _ result: RunResult) throws {
    let expected = try reference.result(subject)
    if let picture = result.picture, let other = expected.picture {
      guard picture.width == other.width, picture.height == other.height else {
        throw EvidenceError.otherSize(
          subject: subject.name, what: "pictures", reference: other.width, model: picture.width)
      }
      pictures.append((subject, try PictureDifference(other, picture, threads: threadCount)))
      try keep(subject, picture)
    }
    if subject.kind == .answer {
      let isEqual = expected.tokens == result.tokens
      let parted = zip(expected.tokens, result.tokens).prefix { $0 == $1 }.count
      answers.append(
        Answer(
          subject: subject.name, question: subject.title, reference: expected.answer ?? "", model: result.answer ?? "",
          firstDifferentToken: isEqual ? nil : parted))
    }
  }

  // MARK: Figures

  /// The state of a sampler after its last step.
  public func last(_ phase: String) -> ValueDifference? { states[phase]?.last }

  /// Of all pictures' errors together, in dB; infinite where none differs.
  public var psnrDecibels: Double? { PictureDifference.pooledPSNR(pictures.map(\.difference)) }
  public var lowestPSNR: Double? { pictures.map(\.difference.psnrDecibels).min() }
  public var meanSSIM: Double? { Self.mean(pictures.compactMap(\.difference.ssim)) }
  public var lowestSSIM: Double? { pictures.compactMap(\.difference.ssim).min() }
  public var meanHaarPSI: Double? { Self.mean(pictures.map(\.difference.haarPSI)) }

  /// Part of the questions with the same answer.
  public var answerAgreement: Double? {
    answers.isEmpty ? nil : Double(answers.count { $0.firstDifferentToken == nil }) / Double(answers.count)
  }

  private static func mean(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }
}

extension PictureDifference {
  /// PSNR of the mean over pictures of their mean squared errors.
  static func pooledPSNR(_ differences: [PictureDifference]) -> Double? {
    guard !differences.isEmpty else { return nil }
    var (square, count) = (0.0, 0.0)
    for difference in differences {
      let pixels = Double(difference.width * difference.height)
      square += pixels * pow(10, -difference.psnrDecibels / 10)
      count += pixels
    }
    return decibels(count, over: square)
  }
}
