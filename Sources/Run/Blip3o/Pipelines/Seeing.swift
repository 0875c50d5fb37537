import NetworkRuntime
import Networks
import Pictures

/// Ids for the language model, with what pictures put in the places of their pads.
struct Prompt {
  var ids: [Int]
  /// Tokens of the pictures, `[tokens, hidden]`, in the order of their pads.
  var pictures: [Float] = []
  var positions = Positions()
}

extension Prompt {
  /// Tokens of a text, behind each of which but the last something is expected.
  init(reading ids: [Int]) {
    self.init(ids: Array(ids.dropLast()))
    positions.append(tokens: self.ids.count)
  }
}

/// A picture's tokens for the language model.
struct SeenPicture {
  /// `[rows * columns, hidden]`.
  let tokens: [Float]
  let rows: Int
  let columns: Int
}

extension StageRunner {
  /// Looks at a picture whose sides are multiples of a cell.
  /// - Parameter number: counts the pictures of a prompt.
  func look(_ picture: Picture, _ preprocessor: ImagePreprocessor, _ tower: VisionTower, number: Int) throws
    -> SeenPicture
  {
    let (patchRows, patchColumns) = (picture.height / preprocessor.patchSize, picture.width / preprocessor.patchSize)
    // The values are not needed to walk through.
    hold(4 * patchRows * patchColumns * tower.config.patchWidth)
    let input =
      isRehearsing
      ? VisionInput(rows: patchRows, columns: patchColumns, pixels: []) : preprocessor.patches(picture)
    let (rows, columns) = (input.rows / tower.config.mergeSize, input.columns / tower.config.mergeSize)
    let tokens = try stage("vision") { run in
      enter(run, "vision.\(number)")
      progress(run, "vision", step: 0, of: 1)
      let out = run.take(width: rows * columns, channels: tower.config.outputSize)
      let pixels = run.take(width: input.rows * input.columns, channels: tower.config.patchWidth)
      run.fill(pixels) { $0.update(input.pixels, at: 0) }
      try finite(run, out) {
        try tower.forward(run, pixels, rows: input.rows, columns: input.columns, into: out)
      }
      let tokens = run.isPlanning ? [] : Array(out.values)
      run.give(pixels)
      run.give(out)
      return tokens
    }
    return SeenPicture(tokens: tokens, rows: rows, columns: columns)
  }
}

extension LanguageModel {
  /// Embeddings of a prompt, pictures in the places of their pads.
  func embed(_ run: Execution, _ prompt: Prompt, pad: Int, into x: Activation) throws {
    try embed(run, ids: prompt.ids, into: x)
    let isPicture = prompt.pictures.isEmpty ? [] : prompt.ids.map { $0 == pad }
    if !run.isPlanning { for observer in run.observers { observer.reads(isPicture: isPicture) } }
    run.fill(x) { values in
      var source = 0
      for (token, id) in prompt.ids.enumerated() where id == pad && source < prompt.pictures.count {
        values.update(
          Array(prompt.pictures[source..<source + config.hiddenSize]), at: token * config.hiddenSize)
        source += config.hiddenSize
      }
    }
  }
}

extension Model {
  /// Ids of a text in which each `<|image_pad|>` is replaced by as many as its picture has tokens.
  /// - Throws: ``ModelError/option(name:rule:)`` where there are more pictures than places.
  func prompt(_ text: String, _ pictures: [SeenPicture]) throws -> Prompt {
    var prompt = Prompt(ids: [])
    var left = pictures[...]
    for id in tokenizer.encode(text) {
      guard id == tokens.imagePad, let picture = left.popFirst() else {
        prompt.ids.append(id)
        prompt.positions.append(tokens: 1)
        continue
      }
      prompt.ids += Array(repeating: id, count: picture.rows * picture.columns)
      prompt.positions.append(pictureOf: picture.rows, by: picture.columns)
      // The first shares its memory.
      prompt.pictures = prompt.pictures.isEmpty ? picture.tokens : prompt.pictures + picture.tokens
    }
    guard left.isEmpty else {
      throw ModelError.option(
        name: "pictures", rule: "are \(pictures.count), but the prompt has a place for \(pictures.count - left.count)")
    }
    if let bad = prompt.ids.first(where: { $0 >= language.vocabularySize }) {
      throw ConfigError(
        file: "config.json", key: "vocab_size", rule: "is \(language.vocabularySize), but the tokenizer gives \(bad)")
    }
    return prompt
  }
}
