import Documents
import JSONText
import Observation

/// The table that somebody who chooses a precision looks at.
public struct EvidenceReport {
  private let entries: [EvidenceComparison.Entry]
  private let outline: PipelineOutline
  /// What the models were given, for people.
  private let given: [(key: String, title: String, value: Cell)]

  /// - Parameter outline: of a painting.
  public init(
    _ comparison: EvidenceComparison, outline: PipelineOutline, given: [(key: String, title: String, value: Cell)]
  ) {
    entries = comparison.entries
    self.outline = outline
    self.given = given
  }

  public var document: Document {
    var document = Document(schema: "bantam.compare.1")
    for fact in given { document.fact(fact.key, fact.title, fact.value) }
    document.add(models)
    if entries.count > 1 {
      document.add(screen(sizeFigures))
      if entries.contains(where: { !$0.measures.logits.isEmpty }) { document.add(language) }
      if entries.contains(where: { !$0.measures.states.isEmpty }) {
        document.add(screen(paintingFigures))
        document.add(drift)
        document.add(driftOnScreen)
      }
      if entries.contains(where: { !$0.measures.pictures.isEmpty }) { document.add(pictures) }
      if entries.contains(where: { !$0.measures.answers.isEmpty }) {
        document.add(answers)
        document.add(partedAnswers)
      }
    }
    return document
  }

  // MARK: Tables

  /// A figure that each model has one of.
  private struct Figure {
    /// In JSON.
    let key: String
    /// On a screen, where columns are grouped and titles can be short; elsewhere.
    let title: String
    let wideTitle: String?
    let rank: Int
    let cell: (EvidenceComparison.Entry) -> Cell

    init(
      _ key: String, _ title: String, wide: String?, rank: Int = 0, _ cell: @escaping (EvidenceComparison.Entry) -> Cell
    ) {
      self.key = key
      self.title = title
      wideTitle = wide
      self.rank = rank
      self.cell = cell
    }
  }

  private var sizeFigures: [Figure] {
    [
      .init("compute", "compute", wide: "compute") { .text($0.compute) },
      .init("bytes", "bytes", wide: "bytes") { .of($0.weights?.byteCount) { .bytes($0) } },
      .init("bits_per_weight", "bits/w", wide: "bits/w") { .of($0.weights?.bitsPerWeight) { .number($0, places: 2) } },
      .init("bits_per_quantizable", "quantizable", wide: "of quantizable", rank: 1) {
        .of($0.weights?.bitsPerQuantizable) { .number($0, places: 2) }
      },
      .init("weight_sqnr_db", "SQNR", wide: "weight SQNR") { .of($0.weights?.sqnrDecibels) { .decibels($0) } },
      .init("seconds", "time", wide: "seconds") { .of($0.seconds) { .seconds($0) } },
      .init("anonymous_bytes", "memory", wide: "memory", rank: 2) { .of($0.anonymousByteCount) { .bytes($0) } },
      .init("file_bytes", "mapped", wide: "mapped", rank: 3) { .of($0.fileByteCount) { .bytes($0) } },
    ]
  }

  private var paintingFigures: [Figure] {
    [
      .init("features_sqnr_db", "features", wide: "features") { .of(state($0, features)) { .decibels($0) } },
      .init("latents_sqnr_db", "latents", wide: "latents") { .of(state($0, latents)) { .decibels($0) } },
      .init("psnr_db", "PSNR", wide: "PSNR") { .of($0.measures.psnrDecibels) { .decibels($0) } },
      .init("lowest_psnr_db", "lowest", wide: nil, rank: 1) { .of($0.measures.lowestPSNR) { .decibels($0) } },
      .init("ssim", "SSIM", wide: "SSIM") { .of($0.measures.meanSSIM) { .number($0, places: 4) } },
      .init("haarpsi", "HaarPSI", wide: "HaarPSI", rank: 2) {
        .of($0.measures.meanHaarPSI) { .number($0, places: 4) }
      },
    ]
  }

  /// What has no place on a screen, or another one there.
  private var otherFigures: [Figure] {
    func logits(_ entry: EvidenceComparison.Entry) -> LogitsMeasure? {
      mainKind(entry).flatMap { entry.measures.logits[$0] }
    }
    return [
      .init("worst_tensor", "", wide: nil) { .of($0.weights?.worst?.name) { .name($0) } },
      .init("worst_tensor_sqnr_db", "", wide: nil) { .of($0.weights?.worst?.sqnrDecibels) { .decibels($0) } },
      .init("kl_kind", "", wide: nil) { .of(mainKind($0)) { .text($0.rawValue) } },
      .init("mean_kl", "", wide: "KL") { .of(logits($0)?.meanKL) { .error($0) } },
      .init("mean_kl_standard_error", "", wide: "+-") { .of(logits($0)?.standardError) { .error($0) } },
      .init("top1_agreement", "", wide: "top-1") { .of(logits($0)?.topAgreement) { .fraction($0, places: 2) } },
      .init("top5_agreement", "", wide: "top-5") { .of(logits($0)?.topFiveAgreement) { .fraction($0, places: 2) } },
      .init("perplexity", "", wide: "perplexity") { .of(logits($0)?.perplexity) { .number($0, places: 4) } },
      .init("answer_agreement", "", wide: "answers") { .of($0.measures.answerAgreement) { .fraction($0) } },
      .init("lowest_ssim", "", wide: nil) { .of($0.measures.lowestSSIM) { .number($0, places: 4) } },
    ]
  }

  /// All of a model in one row.
  private var models: Table {
    let figures = sizeFigures + otherFigures + paintingFigures
    var table = Table(
      "models", [.init("name", "model"), .init("path", nil)] + figures.map { .init($0.key, $0.wideTitle) })
    table.isWide = true
    for entry in entries { table.add([.name(entry.name), .name(entry.path)] + figures.map { $0.cell(entry) }) }
    return table
  }

  /// Some figures of all models, for a screen.
  private func screen(_ figures: [Figure]) -> Table {
    var table = Table(nil, [.init(nil, "model")] + figures.map { .init(nil, $0.title, rank: $0.rank) })
    for entry in entries { table.add([label(entry)] + figures.map { $0.cell(entry) }) }
    return table
  }

  /// A model's name for people: with its mode where that is what tells it from another.
  private func label(_ entry: EvidenceComparison.Entry) -> Cell {
    let isOne = entries.count { $0.name == entry.name } == 1
    return .name(isOne ? entry.name : "\(entry.name) \(entry.compute)")
  }

  /// A row a model and kind of subject.
  private var language: Table {
    var table = Table(
      "language",
      [
        .init("name", nil), .init("compute", nil), .init(nil, "model"), .init("kind", "logits of"),
        .init("documents", nil),
        .init("positions", "positions", rank: 3), .init("mean_kl", "KL"),
        .init("mean_kl_standard_error", "+-"), .init("median_kl", "median", rank: 1), .init("p90_kl", nil),
        .init("p99_kl", "99 %", rank: 2), .init("p99_9_kl", nil), .init("max_kl", "largest", rank: 4),
        .init("top1_agreement", "top-1"), .init("top5_agreement", "top-5", rank: 1),
        .init("perplexity", "perplexity", rank: 2), .init("reference_perplexity", nil),
      ])
    for kind in EvidenceSubject.Kind.allCases {
      for entry in entries {
        guard let logits = entry.measures.logits[kind] else { continue }
        table.add([
          .name(entry.name), .text(entry.compute), label(entry), .text(Self.plural(kind)), .count(logits.documentCount),
          .count(logits.positionCount), .of(logits.meanKL) { .error($0) }, .of(logits.standardError) { .error($0) },
          .of(logits.median) { .error($0) }, .of(logits.quantile(0.9)) { .error($0) },
          .of(logits.quantile(0.99)) { .error($0) }, .of(logits.quantile(0.999)) { .error($0) },
          .of(logits.largestKL) { .error($0) }, .of(logits.topAgreement) { .fraction($0, places: 2) },
          .of(logits.topFiveAgreement) { .fraction($0, places: 2) },
          .of(logits.perplexity) { .number($0, places: 4) },
          .of(logits.referencePerplexity) { .number($0, places: 4) },
        ])
      }
    }
    return table
  }

  private static func plural(_ kind: EvidenceSubject.Kind) -> String {
    switch kind {
    case .text: "texts"
    case .answer: "answers"
    case .painting: "prompts"
    }
  }

  /// The states of samplers after each step: for people the first and last few.
  private var drift: Table {
    var table = Table(
      "drift",
      [
        .init("name", "model"), .init("compute", nil), .init("phase", "sampler"), .init("step", "step"),
        .init("sqnr_db", "SQNR"), .init("max_abs", "largest error"),
      ])
    table.isWide = true
    for entry in entries.dropFirst() {
      for sampler in outline.samplers {
        for (step, values) in (entry.measures.states[sampler.phase] ?? []).enumerated() {
          table.add([
            .name(entry.name), .text(entry.compute), .text(sampler.phase), .count(step + 1),
            .decibels(values.sqnrDecibels), .error(values.largestError),
          ])
        }
      }
    }
    return table
  }

  /// The same beside each other, after steps 1, 2, 4, 8, ... and the last: where a model drifts off, and whether it comes back.
  private var driftOnScreen: Table {
    let shown = entries.dropFirst().filter { !$0.measures.states.isEmpty }
    var table = Table(
      nil,
      [.init(nil, "sampler"), .init(nil, "after step")]
        + shown.enumerated().map { .init(nil, label($1).text, rank: $0) })
    for sampler in outline.samplers {
      let states = shown.map { $0.measures.states[sampler.phase] ?? [] }
      let count = states.map(\.count).max() ?? 0
      for step in 1..<max(1, count + 1) where step == count || step & (step - 1) == 0 {
        table.add(
          [.text(sampler.phase), .count(step)]
            + states.map { step <= $0.count ? .decibels($0[step - 1].sqnrDecibels) : .absent })
      }
    }
    return table
  }

  private var pictures: Table {
    var table = Table(
      "pictures",
      [
        .init("name", nil), .init("compute", nil), .init(nil, "model"), .init("subject", "picture", rank: 1),
        .init("title", "prompt"),
        .init("psnr_db", "PSNR"), .init("ssim", "SSIM"), .init("haarpsi", "HaarPSI", rank: 2),
        .init("largest_error", nil), .init("changed_pixels", nil),
      ], order: .init(5, ascending: true), usualCount: 8)
    for entry in entries.dropFirst() {
      for (subject, difference) in entry.measures.pictures {
        table.add([
          .name(entry.name), .text(entry.compute), label(entry), .text(subject.name), .name(subject.title),
          .decibels(difference.psnrDecibels), .of(difference.ssim) { .number($0, places: 4) },
          .number(difference.haarPSI, places: 4), .count(difference.largestError?.value ?? 0),
          .count(difference.changedPixelCount),
        ])
      }
    }
    return table
  }

  private var answers: Table {
    var table = Table(
      "answers",
      [
        .init("name", "model"), .init("compute", "compute"), .init("subject", nil), .init("question", "question"),
        .init("reference", "reference"), .init("answer", "answer"), .init("first_different_token", "parts at"),
      ])
    table.isWide = true
    for entry in entries.dropFirst() {
      for answer in entry.measures.answers {
        table.add([
          .name(entry.name), .text(entry.compute), .text(answer.subject), .name(answer.question),
          .name(answer.reference), .name(answer.model), .of(answer.firstDifferentToken) { .count($0 + 1) },
        ])
      }
    }
    return table
  }

  /// What people read of them: those that part from the reference's.
  private var partedAnswers: Table {
    var table = Table(
      nil,
      [.init(nil, "model"), .init(nil, "question", rank: 1), .init(nil, "reference"), .init(nil, "answer")],
      usualCount: 8, whenEmpty: "all models answer as the reference does")
    for entry in entries.dropFirst() {
      for answer in entry.measures.answers where answer.firstDifferentToken != nil {
        table.add([label(entry), .name(answer.question), .name(answer.reference), .name(answer.model)])
      }
    }
    return table
  }

  // MARK: What stands for a model

  /// The kind whose logits stand in the one table: texts where there are any, then answers, then prompts.
  private func mainKind(_ entry: EvidenceComparison.Entry) -> EvidenceSubject.Kind? {
    EvidenceSubject.Kind.allCases.first { entry.measures.logits[$0] != nil }
  }

  private var features: String? { outline.samplers.first?.phase }
  private var latents: String? { outline.samplers.last?.phase }

  private func state(_ entry: EvidenceComparison.Entry, _ phase: String?) -> Double? {
    phase.flatMap { entry.measures.last($0)?.sqnrDecibels }
  }

  // MARK: Gates

  /// Bounds that a model must keep.
  public struct Gates: Sendable {
    public var maxKL: Double?
    public var minTop1: Double?
    public var minFeatures: Double?
    public var minLatents: Double?
    public var minPSNR: Double?
    public var minSSIM: Double?

    public init() {}

    public var isEmpty: Bool {
      [maxKL, minTop1, minFeatures, minLatents, minPSNR, minSSIM].allSatisfy { $0 == nil }
    }
  }

  /// What misses a bound, in words. A bound on what was not measured is missed.
  public func failures(_ gates: Gates) -> [String] {
    var failures: [String] = []
    for entry in entries.dropFirst() {
      func hold(_ what: String, _ value: Double?, _ bound: Double?, isMost: Bool = false, _ cell: (Double) -> Cell) {
        guard let bound else { return }
        guard let value else { return failures.append("\(entry.name): \(what) was not measured") }
        // NaN keeps no bound.
        if isMost ? value <= bound : value >= bound { return }
        failures.append(
          "\(entry.name) (\(entry.compute)): \(what) is \(cell(value).text), \(isMost ? "more" : "less") than "
            + cell(bound).text)
      }
      let logits = mainKind(entry).flatMap { entry.measures.logits[$0] }
      hold("the mean KL divergence", logits?.meanKL, gates.maxKL, isMost: true) { .error($0) }
      hold("top-1 agreement", logits?.topAgreement, gates.minTop1) { .fraction($0, places: 2) }
      hold("the features' SQNR", state(entry, features), gates.minFeatures) { .decibels($0) }
      hold("the latents' SQNR", state(entry, latents), gates.minLatents) { .decibels($0) }
      hold("the lowest PSNR", entry.measures.lowestPSNR, gates.minPSNR) { .decibels($0) }
      hold("the lowest SSIM", entry.measures.lowestSSIM, gates.minSSIM) { .number($0, places: 4) }
    }
    return failures
  }
}

extension Cell {
  /// A cell of what was measured, or none.
  fileprivate static func of<Value>(_ value: Value?, _ cell: (Value) -> Cell) -> Cell {
    value.map(cell) ?? .absent
  }
}
