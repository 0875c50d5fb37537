import Checkpoints
import GGUF
import JSONText
import ModelSources
import Tensors

/// What the metadata of a GGUF file says of a model: from the family's config.json, or from another GGUF file.
struct GGUFFacts {
  private static let configName = "config.json"

  private let source: ModelSource
  private let map: ModelMap
  private let output: LayoutOutput
  private let config: JSONValue

  /// - Throws: ``ExportError/companionMissing(path:file:)``, ``ExportError/config(path:file:key:rule:)``.
  init(_ source: ModelSource, _ map: ModelMap, _ output: LayoutOutput) throws {
    guard let config = try Self.json(Self.configName, source) else {
      throw ExportError.companionMissing(path: source.path, file: Self.configName)
    }
    (self.source, self.map, self.output, self.config) = (source, map, output, config)
  }

  /// A JSON file beside the weights; nil where there is none.
  private static func json(_ name: String, _ source: ModelSource) throws -> JSONValue? {
    guard let bytes = try source.companion(name) else { return nil }
    do throws(JSONError) { return try ConfigJSON.parse(bytes) } catch {
      throw ExportError.config(path: source.path, file: name, key: "", rule: error.explanation.problem)
    }
  }

  private func bad(_ keys: [String], _ rule: String) -> ExportError {
    .config(path: source.path, file: Self.configName, key: keys.joined(separator: "."), rule: rule)
  }

  private func value(_ keys: [String]) -> JSONValue? {
    let value = keys.reduce(config as JSONValue?) { $0?[$1] }
    return value == .null ? nil : value
  }

  // MARK: Pairs

  /// What every file says.
  func general(_ types: [(type: GGMLType, shape: [Int])]) -> [GGUFPair] {
    var pairs = [
      GGUFPair("general.architecture", string: Array(output.architecture.utf8)),
      GGUFPair("general.type", string: Array("model".utf8)),
      GGUFPair("general.name", string: Array((map.release ?? map.family).utf8)),
    ]
    if let type = Self.fileType(types) { pairs.append(GGUFPair(Self.fileTypeKey, uint32: type)) }
    if types.contains(where: { $0.type.plainDType == nil }) { pairs.append(Self.quantizationVersion) }
    return pairs
  }

  /// Sizes and constants of the config.
  /// - Throws: ``ExportError/config(path:file:key:rule:)`` for what is missing, or is not what readers would compute with.
  func model() throws -> [GGUFPair] {
    for requirement in output.requirements {
      guard let found = value(requirement.config), !requirement.values.contains(found) else { continue }
      throw bad(
        requirement.config,
        "is \(PrintableText.shortened(found.text(), to: 40)): readers of \(output.architecture) compute with "
          + requirement.values.map { $0.text() }.joined(separator: " or "))
    }
    return try output.facts.map { fact in
      guard let value = value(fact.config) else { throw bad(fact.config, "is missing") }
      switch fact.type {
      case .uint32:
        guard case .int(let number) = value, let exact = UInt32(exactly: number) else {
          throw bad(fact.config, "is no whole number below 2^32")
        }
        return GGUFPair(fact.key, uint32: exact)
      case .float32:
        guard let number = value.double, Float(number).isFinite else { throw bad(fact.config, "is no finite number") }
        return GGUFPair(fact.key, float32: Float(number))
      case .int32s:
        let numbers = (value.array ?? []).compactMap(\.int).compactMap { Int32(exactly: $0) }
        guard let items = value.array, numbers.count == items.count, (1...max(1, fact.count)).contains(items.count)
        else { throw bad(fact.config, "is no list of at most \(fact.count) whole numbers") }
        return GGUFPair(
          fact.key, int32s: numbers + [Int32](repeating: 0, count: fact.count - numbers.count))
      }
    }
  }

  /// Ids of tokens that have a meaning, and the template of a conversation.
  /// - Throws: ``ExportError/config(path:file:key:rule:)`` for an id that is none.
  func tokens(_ vocabulary: GGUFVocabulary) throws -> [GGUFPair] {
    let tokenizerConfig = try Self.json("tokenizer_config.json", source)
    var pairs: [GGUFPair] = []
    for (key, name) in [("bos", "bos"), ("eos", "eos"), ("padding", "pad")] {
      guard let id = try id(of: name, tokenizerConfig, vocabulary) else { continue }
      pairs.append(GGUFPair("tokenizer.ggml.\(key)_token_id", uint32: id))
    }
    // The tokenizers that are read put nothing before a text.
    pairs.append(GGUFPair("tokenizer.ggml.add_bos_token", bool: false))
    if let template = try chatTemplate(tokenizerConfig) {
      pairs.append(GGUFPair("tokenizer.chat_template", string: template))
    }
    return pairs
  }

  /// The id of a token by its role: as tokenizer_config.json names the token, else as config.json gives the id.
  private func id(
    of role: String, _ tokenizerConfig: JSONValue?, _ vocabulary: GGUFVocabulary
  ) throws -> UInt32? {
    let token = tokenizerConfig?["\(role)_token"]
    if let text = token?.string ?? token?["content"]?.string, let id = vocabulary.id(ofAdded: text) {
      return UInt32(id)
    }
    let key = "\(role)_token_id"
    guard let value = value([key]) else { return nil }
    guard let number = value.int ?? value.array?.first?.int, number >= 0, number < vocabulary.rows else {
      throw bad([key], "is no id of the vocabulary")
    }
    return UInt32(number)
  }

  private func chatTemplate(_ tokenizerConfig: JSONValue?) throws -> [UInt8]? {
    if let bytes = try source.companion("chat_template.jinja"), String(validating: bytes, as: UTF8.self) != nil {
      return bytes
    }
    let text =
      try Self.json("chat_template.json", source)?["chat_template"]?.string ?? tokenizerConfig?["chat_template"]?.string
    return text.map { Array($0.utf8) }
  }

  // MARK: Types

  private static let fileTypeKey = "general.file_type"

  /// The version of ggml's block types. Source: ggml, `ggml.h`, `GGML_QNT_VERSION`.
  private static let quantizationVersion = GGUFPair("general.quantization_version", uint32: 2)

  /// The number that stands for the type of most weights; nil where several have a claim to it. Source: llama.cpp, `llama.h`,
  /// `enum llama_ftype`.
  private static func fileType(_ types: [(type: GGMLType, shape: [Int])]) -> UInt32? {
    var counts: [GGMLType: Int] = [:]
    for (type, shape) in types where shape.count > 1 { counts[type, default: 0] += shape.reduce(1, *) }
    switch counts.max(by: { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) })?.key {
    case .f32: return 0
    case .f16: return 1
    case .q4_0: return 2
    case .q4_1: return 3
    case .q8_0: return 7
    case .q5_0: return 8
    case .q5_1: return 9
    case .bf16: return 32
    default: return nil
    }
  }

  // MARK: From another GGUF file

  /// The file of a source that says all this itself.
  static func file(of source: ModelSource, _ output: LayoutOutput) -> Checkpoint.File? {
    source.checkpoint?.files.first { $0.value(of: "general.architecture") == output.architecture }
  }

  /// The pairs of such a file, save those that are true of its own bytes alone.
  static func copied(
    from file: Checkpoint.File, types: [(type: GGMLType, shape: [Int])]
  ) throws -> [GGUFPair] {
    let path = file.relativePath
    let header: GGUFHeader
    do throws(GGUFError) { header = try GGUFHeader(file.source) } catch { throw ExportError.gguf(path: path, error) }
    let byteCount = header.metadata.reduce(0) { $0 + $1.range.count }
    guard byteCount <= Limits.ggufHeaderByteCount else {
      throw ExportError.gguf(path: path, .headerTooLarge(byteCount: byteCount))
    }
    // What depends on the types stands where the file has it, so that nothing changes where they do not.
    var renewed: [[UInt8]: GGUFPair] = [:]
    if let type = fileType(types) { renewed[Array(fileTypeKey.utf8)] = GGUFPair(fileTypeKey, uint32: type) }
    if types.contains(where: { $0.type.plainDType == nil }) { renewed[quantizationVersion.key] = quantizationVersion }
    let own = ["general.alignment", "general.quantization_version", "split.no", "split.count", "split.tensors.count"]
    var pairs: [GGUFPair] = []
    for datum in header.metadata {
      if let pair = renewed.removeValue(forKey: datum.key) {
        pairs.append(pair)
      } else if !own.contains(where: { $0.utf8.elementsEqual(datum.key) }),
        !datum.key.starts(with: "comfy.gguf.orig_shape.".utf8)
      {
        var bytes = [UInt8](repeating: 0, count: datum.range.count)
        try bytes.withUnsafeMutableBytes { try file.source.read(at: datum.range.lowerBound, into: $0) }
        pairs.append(GGUFPair(key: datum.key, copying: bytes))
      }
    }
    pairs += renewed.values.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    return pairs
  }
}
