import Checkpoints
import Comparison
import Foundation
import GGUF
import ModelSources
import Tensors
import Testing
import SampleSupport
import TestSupport
import Tokenization

@testable import Exports
@testable import Samples

@Suite struct GGUFExportTests {
  private func header(_ path: String) throws -> GGUFHeader { try GGUFHeader(ReadableFile(path: path)) }

  private func types(_ plan: ExportPlan) -> [String: String] {
    Dictionary(uniqueKeysWithValues: plan.tensors.map { ($0.name.text, $0.type) })
  }

  /// Rows of a comparison that both sides have.
  private func shared(_ a: String, _ b: String) throws -> [WeightDiff.Row] {
    try WeightDiff(
      ModelSource(path: a), ModelSource(path: b), components: ["llm"], resources: Resources(threadCount: 2)
    ).rows
  }

  @Test func exactWeightsKeepTheirType() throws {
    let folder = TemporaryFolder()
    let found = types(try export(ExportSample.path, as: .gguf, to: folder["m.gguf"]))
    #expect(found["token_embd.weight"] == "BF16" && found["blk.2.ffn_down.weight"] == "BF16")
    #expect(found["blk.0.attn_q.bias"] == "F32" && found["output_norm.weight"] == "F32")
    #expect(found.count == 3 + 3 * 12)
    let rows = try shared(ExportSample.path, folder["m.gguf"])
    #expect(rows.count == found.count && rows.allSatisfy { $0.values?.largestError ?? 0 == 0 })
  }

  /// Codes and scales go over as they are: what a reader decodes is what ours decodes.
  @Test(arguments: ["int4", "int8"]) func groupsBecomeBlocksWithoutRounding(encoding: String) throws {
    let folder = TemporaryFolder()
    let source = ExportSample.folder[encoding + ".bantam"]
    let plan = try export(source, as: .gguf, to: folder["m.gguf"])
    let found = types(plan)
    #expect(found["blk.0.ffn_up.weight"] == (encoding == "int4" ? "Q4_0" : "Q8_0"))
    #expect(found["token_embd.weight"] == "Q8_0" && found["blk.0.attn_norm.weight"] == "F32")
    let rows = try shared(source, folder["m.gguf"])
    #expect(rows.count == found.count)
    // Norms were bf16 and are f32: changed in type, in no value.
    for row in rows { #expect(row.status == .equal || row.values?.largestError == 0, "\(row.name)") }
    #expect(rows.count { $0.status == .equal } >= found.values.count { $0.hasPrefix("Q") })
    #expect(try header(folder["m.gguf"])["general.file_type"]?.int == (encoding == "int4" ? 2 : 7))
    #expect(!plan.notes.contains { $0.contains("F16") })
  }

  @Test(arguments: [DType.f32, .f16, .bf16]) func castsAreThoseOfTheOtherFormat(dtype: DType) throws {
    let folder = TemporaryFolder()
    let source = ExportSample.folder["int4.bantam"]
    let plan = try export(source, as: .gguf, to: folder["m.gguf"], dtype: dtype)
    try export(source, as: .safetensors, to: folder["e"], dtype: dtype, components: ["llm"])
    #expect(types(plan)["blk.0.ffn_up.weight"] == dtype.name && types(plan)["blk.0.attn_norm.weight"] == "F32")
    let rows = try shared(folder["e"], folder["m.gguf"])
    #expect(!rows.isEmpty && rows.allSatisfy { $0.status == .equal || $0.status == .changed })
    for row in rows where row.shape.count > 1 { #expect(row.status == .equal, "\(row.name)") }
  }

  @Test func theFolderAndItsNativeFileGiveTheSameFile() throws {
    let folder = TemporaryFolder()
    try export(ExportSample.path, as: .gguf, to: folder["a"])
    try export(ExportSample.folder["plain.bantam"], as: .gguf, to: folder["b"])
    #expect(folder.bytes(of: "a") == folder.bytes(of: "b"))
  }

  /// Blocks and metadata of a GGUF file go over as they stand.
  @Test(arguments: ["plain", "int4", "int8"]) func aGGUFFileExportedAgainIsTheSame(source: String) throws {
    let folder = TemporaryFolder()
    try export(ExportSample.folder[source + ".bantam"], as: .gguf, to: folder["a.gguf"])
    try export(folder["a.gguf"], as: .gguf, to: folder["b.gguf"])
    #expect(folder.bytes(of: "a.gguf") == folder.bytes(of: "b.gguf"))
    let cast = try export(folder["a.gguf"], as: .gguf, to: folder["c.gguf"], dtype: .f16)
    #expect(types(cast)["blk.0.ffn_up.weight"] == "F16")
    #expect(try header(folder["c.gguf"])["general.file_type"]?.int == 1)
  }

  /// As another program writes it, with the projector's file beside it.
  @Test func anotherProgramsFileGoesThrough() throws {
    let folder = TemporaryFolder()
    let plan = try export(fixtures + "/qwen/gguf", as: .gguf, to: folder["m.gguf"])
    #expect(plan.notes.contains { $0.hasPrefix("left out: vision") })
    let (before, after) = (try header(fixtures + "/qwen/gguf/model.gguf"), try header(folder["m.gguf"]))
    #expect(Set(before.tensors.map(\.name)) == Set(after.tensors.map(\.name)))
    for datum in before.metadata where datum.key != Array("general.alignment".utf8) {
      #expect(after.metadata.contains { $0.key == datum.key }, "\(datum.key)")
    }
    #expect(try shared(fixtures + "/qwen/gguf/model.gguf", folder["m.gguf"]).allSatisfy { $0.status == .equal })
  }

  @Test func theMetadataIsThatOfTheConfig() throws {
    let folder = TemporaryFolder()
    try export(ExportSample.path, as: .gguf, to: folder["m.gguf"])
    let header = try header(folder["m.gguf"])
    for (key, value) in [
      "qwen2vl.context_length": 4096, "qwen2vl.embedding_length": 128, "qwen2vl.block_count": 3,
      "qwen2vl.feed_forward_length": 256, "qwen2vl.attention.head_count": 4, "qwen2vl.attention.head_count_kv": 2,
      "general.alignment": 32, "general.file_type": 32,
    ] { #expect(header[key]?.int == value, "\(key)") }
    #expect(header["general.architecture"]?.text == "qwen2vl" && header["tokenizer.ggml.model"]?.text == "gpt2")
    #expect(header["tokenizer.ggml.pre"]?.text == "qwen2")
    #expect(header["qwen2vl.rope.freq_base"] == .float(1_000_000))
    #expect(header["qwen2vl.attention.layer_norm_rms_epsilon"] == .float(Double(Float(1e-6))))
    guard case .array(.int32, 4, let sections, _)? = header["qwen2vl.rope.dimension_sections"] else {
      Issue.record("no sections")
      return
    }
    #expect(sections == [.signed(4), .signed(6), .signed(6), .signed(0)])
    let tokenizer = try Tokenizer(tokenizerJSON: ExportSample.folder.bytes(of: "tiny/tokenizer.json"))
    #expect(header["tokenizer.ggml.eos_token_id"]?.int == tokenizer.id(ofAdded: "<|im_end|>"))
    #expect(header["tokenizer.ggml.padding_token_id"]?.int == tokenizer.id(ofAdded: "<|endoftext|>"))
    for key in ["tokens", "token_type"] {
      guard case .array(_, let count, _, _)? = header["tokenizer.ggml." + key] else {
        Issue.record("no \(key)")
        return
      }
      #expect(count == tokenizer.vocabularySize)
    }
  }

  @Test func rowsWithoutATokenAreFilledUp() throws {
    let folder = ExportSample.copy()
    ExportSample.edit(folder, "tiny/tokenizer.json") { json in
      var added = json["added_tokens"] as! [[String: Any]]
      added.removeLast()
      json["added_tokens"] = added
    }
    let plan = try export(folder["tiny"], as: .gguf, to: folder["m.gguf"])
    #expect(plan.notes.contains { $0.hasPrefix("1 rows of the embedding") })
    let rows = try #require(plan.tensors.first { $0.name == "token_embd.weight" }?.shape[0])
    let text = "[PAD\(rows - 1)]"
    #expect(folder.bytes(of: "m.gguf").firstRange(of: little(UInt64(text.utf8.count)) + Array(text.utf8)) != nil)
  }

  @Test func moreTokensThanRowsAreRefused() throws {
    let folder = ExportSample.copy()
    ExportSample.edit(folder, "tiny/tokenizer.json") { json in
      var added = json["added_tokens"] as! [[String: Any]]
      var one = added[0]
      one["id"] = (added.last!["id"] as! Int) + 1
      one["content"] = "<|one too many|>"
      added.append(one)
      json["added_tokens"] = added
    }
    #expect { try GGUFExport().plan(ModelSource(path: folder["tiny"])) } throws: { caseName($0) == "vocabulary" }
  }

  @Test func equalTextsOfTokensAreRefused() throws {
    let folder = ExportSample.copy()
    ExportSample.edit(folder, "tiny/tokenizer.json") { json in
      var added = json["added_tokens"] as! [[String: Any]]
      added[1]["content"] = added[0]["content"]
      json["added_tokens"] = added
    }
    #expect { try GGUFExport().plan(ModelSource(path: folder["tiny"])) } throws: { caseName($0) == "vocabulary" }
  }

  /// Rows that fill no whole blocks cannot be blocks: they are decoded, and the plan says so.
  @Test(arguments: ["int4", "int8"]) func rowsThatAreNoWholeBlocksBecomeF16(encoding: String) throws {
    let folder = TemporaryFolder()
    var scale = ExportSample.scale
    scale.feedForward = 240
    try SampleWriter(scale: scale, seed: 1, components: ["llm"]).write(to: folder["s"], resources: Resources())
    try ExportSample.convert(
      folder["s"], to: folder["q"], .init(defaultEncoding: encoding == "int4" ? .int4 : .int8))
    let plan = try export(folder["q"], as: .gguf, to: folder["m.gguf"])
    let found = types(plan)
    #expect(found["blk.0.ffn_down.weight"] == "F16" && found["blk.0.ffn_up.weight"]!.hasPrefix("Q"))
    #expect(plan.notes.contains { $0.hasPrefix("3 tensors, first 'blk.0.ffn_down.weight'") && $0.contains("240") })
    let cast = try export(folder["q"], as: .safetensors, to: folder["e"], dtype: .f16)
    #expect(!cast.files.isEmpty)
    let rows = try shared(folder["e"], folder["m.gguf"])
    let down = rows.filter { $0.name.text.hasSuffix("mlp.down_proj.weight") }
    #expect(down.count == 3 && down.allSatisfy { $0.status == .equal })
  }

  @Test func aRepeatedHeadIsLeftOut() throws {
    let folder = ExportSample.copy()
    ExportSample.edit(folder, "tiny/config.json") { $0["tie_word_embeddings"] = true }
    try TinySample.copyEmbeddingOverHead(folder)
    try ExportSample.convert(folder["tiny"], to: folder["t.bantam"])
    let plan = try export(folder["t.bantam"], as: .gguf, to: folder["m.gguf"])
    #expect(types(plan)["output.weight"] == nil && plan.notes.contains { $0.contains("'output.weight' repeats") })
  }

  // MARK: What is refused

  @Test func anUnknownFamilyIsRefused() throws {
    let folder = TemporaryFolder()
    folder.write(SafetensorsFile.bytes([("w", "F32", [1], [0, 0, 0, 0])]), to: "m.safetensors")
    let error = ExportError.familyNotHeld(
      path: folder["m.safetensors"], format: "gguf", family: "generic", held: ["blip3o"])
    #expect(throws: error) { try GGUFExport().plan(ModelSource(path: folder["m.safetensors"])) }
    #expect(error.report.found == "generic" && error.report.expected == "blip3o" && error.report.hint != nil)
  }

  @Test func sourcesWithoutTheComponentAreRefused() throws {
    let folder = TemporaryFolder()
    try ExportSample.convert(ExportSample.path, to: folder["vae"], components: ["vae"])
    #expect { try GGUFExport().plan(ModelSource(path: folder["vae"])) } throws: { caseName($0) == "componentNotHeld" }
    let options = ExportOptions(components: ["llm", "vae"])
    #expect { try GGUFExport().plan(ModelSource(path: ExportSample.path), options) } throws: {
      caseName($0) == "componentNotHeld"
    }
  }

  /// A native file that was made of a GGUF file knows no config.
  @Test func factsThatNobodyStatesAreAskedFor() throws {
    let folder = TemporaryFolder()
    try ExportSample.convert(fixtures + "/qwen/gguf", to: folder["q.bantam"])
    #expect(throws: ExportError.companionMissing(path: folder["q.bantam"], file: "config.json")) {
      try GGUFExport().plan(ModelSource(path: folder["q.bantam"]))
    }
  }

  static let configs: [(rule: String, key: String, value: (any Sendable)?)] = [
    ("missing", "num_attention_heads", nil), ("negative", "num_key_value_heads", -1),
    ("text", "max_position_embeddings", "many"), ("2^32", "max_position_embeddings", 1 << 32),
    ("over f32", "rope_theta", 1e300), ("another activation", "hidden_act", "gelu"),
    ("a sliding window", "use_sliding_window", true), ("no sections", "rope_scaling", ["type": "default"]),
    ("five sections", "rope_scaling", ["mrope_section": [1, 2, 3, 4, 5]]),
    ("a section of 2^31", "rope_scaling", ["mrope_section": [1 << 31]]),
    ("YaRN", "rope_scaling", ["type": "yarn", "mrope_section": [4, 6, 6]] as [String: any Sendable]),
    ("an id beyond the rows", "pad_token_id", 1 << 20),
  ]

  @Test(arguments: configs.indices) func configsThatSayNothingToReadersAreRefused(index: Int) throws {
    let folder = ExportSample.copy()
    let (rule, key, value) = Self.configs[index]
    ExportSample.edit(folder, "tiny/config.json") { $0[key] = value }
    if key == "pad_token_id" { ExportSample.edit(folder, "tiny/tokenizer_config.json") { $0["pad_token"] = nil } }
    #expect("\(rule)") { try GGUFExport().plan(ModelSource(path: folder["tiny"])) } throws: { caseName($0) == "config" }
  }
}
