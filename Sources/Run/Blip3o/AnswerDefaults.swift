import JSONText
import Networks

/// How a model wants its answers drawn. Source: generation_config.json; where there is none, as the release's comes to: the most likely
/// token after a repetition penalty of 1.05.
struct AnswerDefaults: Sendable, Equatable {
  var sampling = SamplingOptions()
  /// Tokens that end an answer; empty where the file names none.
  var endTokens: [Int] = []

  init() {}

  init(_ config: ConfigReader) throws(ConfigError) {
    try config.close(.generation)
    sampling.repetitionPenalty = Float(try config.double("repetition_penalty", default: 1))
    try config.require(
      sampling.repetitionPenalty > 0 && sampling.repetitionPenalty <= 100, "repetition_penalty",
      "is not above 0 and at most 100")
    if config.has("eos_token_id") {
      endTokens = try config.ints("eos_token_id", count: config.isList("eos_token_id") ? nil : 1, in: 0...1 << 24)
    }
    guard try config.bool("do_sample", default: false) else { return }
    let topK = try config.int("top_k", in: 0...1 << 24, default: 50)
    // One token to draw from is the most likely one.
    guard topK != 1 else { return }
    sampling.topK = topK == 0 ? nil : topK
    sampling.temperature = try config.double("temperature", default: 1)
    sampling.topP = try config.double("top_p", default: 1)
    try config.require((0...100).contains(sampling.temperature), "temperature", "is not 0 to 100")
    try config.require(sampling.topP > 0 && sampling.topP <= 1, "top_p", "is not above 0 and at most 1")
  }
}
