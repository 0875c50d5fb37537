import Bantam
import Foundation

/// Mixes of encodings, run by the model itself on subjects of a set.
struct Trials {
  let model: Model
  let run: SensitivityRun
  let statistics: StatisticsFile
  private let resources = Resources()

  /// - Parameters:
  ///   - folder: with NAME.txt, prompts one a line, and a folder NAME of pictures with questions, as tools/miniature/subjects.py writes it.
  ///   - counts: of prompts and of pictures, at the most.
  init(_ path: String, _ folder: String, _ name: String, counts: (Int, Int), statistics: StatisticsFile) throws {
    let model = try Model(path: path)
    let options = RunOptions(threadCount: 1, mode: .f32)
    var painting = GenerationOptions()
    (painting.steps, painting.decoderSteps, painting.guidance) = (6, 6, 2)
    let prompts = try String(contentsOfFile: "\(folder)/\(name).txt", encoding: .utf8).split(separator: "\n")
    let pictures = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(name)").sorted()
      .filter { $0.hasSuffix(".png") }
    var readings: [StagedReading] = []
    for file in pictures.prefix(counts.1) {
      let picture = try Picture(path: "\(folder)/\(name)/\(file)")
      let questions = try String(contentsOfFile: "\(folder)/\(name)/\(file.dropLast(3))txt", encoding: .utf8)
      for question in questions.split(separator: "\n") {
        readings.append(StagedReading(model, picture: picture, question: String(question), maxTokens: 64, run: options))
      }
    }
    self.model = model
    self.statistics = statistics
    run = try SensitivityRun(
      model,
      paintings: prompts.prefix(counts.0).map { StagedPainting(prompt: String($0), options: painting, run: options) },
      readings: readings, statistics: statistics, resources: resources, subjectsAtOnce: resources.threadCount)
  }

  /// A model with some tensors in an encoding; nil leaves them as they are.
  func replacing(_ model: Model, _ names: [String], _ encoding: (any Encoding)?) throws -> Model {
    guard let encoding else { return model }
    return try model.replacing(names, by: encoding, statistics: statistics, resources: resources).model
  }

  /// The model of a plan.
  func model(_ tensors: [PlannedTensor], _ choices: [Int]) throws -> Model {
    let groups = Dictionary(grouping: tensors.indices) { tensors[$0].options[choices[$0]].encodingName }
    return try groups.sorted { $0.key < $1.key }.reduce(model) { model, group in
      try replacing(
        model, group.value.flatMap { [tensors[$0].name] + tensors[$0].repeats },
        tensors[group.value[0]].options[choices[group.value[0]]].encoding)
    }
  }

  func effects(_ trial: Model) throws -> [Measure: Double] {
    try run.effects(of: trial, components: ["vision", "llm", "dit", "unet"])
  }

  /// What a planner makes small: the geometric mean of the measures, each with a floor.
  static func objective(_ effects: [Measure: Double], floors: [Measure: Double]) -> Double {
    let measures: [Measure] = [.divergence, .features, .latents]
    return exp(measures.reduce(0) { $0 + log((effects[$1] ?? 0) + (floors[$1] ?? 0)) } / Double(measures.count))
  }
}

func shown(_ effects: [Measure: Double]) -> String {
  Measure.allCases.compactMap { measure in
    effects[measure].map { "\(measure.rawValue) " + String(format: "%.3e", $0) }
  }.joined(separator: "  ")
}
