import NetworkRuntime
import Networks

extension StageRunner {
  /// The hidden states at the queries for each text: `[queries, hidden]` each.
  func conditions(_ model: Model, _ prompts: [(name: String, prompt: Prompt)]) throws -> [[Float]] {
    let language = try model.languageModel()
    let queries = try model.queries()
    let config = model.language
    for prompt in prompts {
      let limit = config.maxPositions - config.queryCount - 1
      guard prompt.prompt.ids.count <= limit else {
        throw ModelError.promptTooLong(count: prompt.prompt.ids.count, limit: limit)
      }
    }
    return try stage("prompt") { run in
      try prompts.enumerated().map { number, prompt in
        progress(run, "prompt", step: number, of: prompts.count)
        enter(run, "query.\(prompt.name)")
        return try condition(run, model, language, queries, prompt.prompt)
      }
    }
  }

  private func condition(
    _ run: Execution, _ model: Model, _ language: LanguageModel, _ queries: Vector, _ prompt: Prompt
  ) throws -> [Float] {
    let config = model.language
    var prompt = prompt
    prompt.ids.append(model.tokens.image)
    let count = prompt.ids.count
    let length = count + config.queryCount
    let x = run.take(width: length, channels: config.hiddenSize)
    // Plain positions, also where there is a picture: the release's own code gives none here.
    let positions = (0..<length).map { ($0, $0, $0) }
    try finite(run, x) {
      try language.embed(run, prompt, pad: model.tokens.imagePad, into: x.tokens(0..<count))
      run.fill(x.tokens(count..<length)) { $0.baseAddress!.update(from: queries.values, count: queries.count) }
      try run.emit("query.inputs_embeds", x)
      try language.forward(run, x, positions: positions)
    }
    let states = x.tokens(count..<length)
    try run.emit("query.hidden", states)
    let result = run.isPlanning ? [] : Array(states.values)
    run.give(x)
    return result
  }
}
