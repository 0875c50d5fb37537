import BantamArchive
import Comparison
import Encodings
import Exports
import Foundation
import Kernels
import Quantization
import SampleSupport
import Tensors
import Testing
import TestSupport

import Conversion
@testable import ModelSources

@Suite struct QuantizeTests {
  private func quantize(
    _ source: String, to path: String, _ recipe: QuantizationRecipe, threads: Int = 2
  ) throws -> ConversionPlan {
    let plan = try ConversionPlan(
      source: ModelSource(path: source),
      options: ConversionOptions(recipe: recipe, resources: Resources(threadCount: threads)))
    try Converter.run(plan, to: path)
    return plan
  }

  private func encodings(_ plan: ConversionPlan) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: plan.archive.index.tensors.map {
        ($0.info.name.text, plan.archive.index.encodings[$0.encoding].name)
      })
  }

  @Test func theFamilysRulesDecideByRole() throws {
    let folder = TemporaryFolder()
    let found = encodings(try quantize(TinySample.path, to: folder["q"], .init(defaultEncoding: .int4)))
    for (name, encoding) in [
      ("llm.layers.0.mlp.up_proj.weight", "int4-g32"), ("unet.down_blocks.0.resnets.0.conv1.weight", "int4-g32"),
      ("llm.embed_tokens.weight", "int8-g32"), ("llm.lm_head.weight", "int8-g32"),
      ("vision.blocks.0.attn.qkv.weight", "int8-g32"), ("vision.patch_embed.proj.weight", "plain"),
      ("llm.norm.weight", "plain"), ("llm.layers.0.self_attn.q_proj.bias", "plain"),
      ("dit.layers.0.norm1.linear.weight", "plain"), ("dit.layers.0.gate", "plain"),
      ("dit.time_caption_embed.timestep_embedder.linear_1.weight", "plain"),
      ("dit.caption_projection.linear_1.weight", "plain"), ("dit.norm_out.linear_2.weight", "plain"),
      ("unet.down_blocks.0.resnets.0.time_emb_proj.weight", "plain"), ("unet.conv_out.weight", "plain"),
      ("vae.decoder.conv_in.weight", "plain"), ("queries.latent_queries", "plain"),
    ] {
      #expect(found[name] == encoding, "\(name)")
    }
  }

  @Test func rulesByNameOverride() throws {
    let folder = TemporaryFolder()
    let recipe = QuantizationRecipe(
      defaultEncoding: .int4,
      rules: [
        .init(pattern: "unet.*", action: .encode(.int8)), .init(pattern: "dit.*", action: .keep),
        .init(pattern: "vae.decoder.conv_in.weight", action: .encode(.int8)),
      ])
    let found = encodings(try quantize(TinySample.path, to: folder["q"], recipe))
    #expect(found["unet.down_blocks.0.resnets.0.conv1.weight"] == "int8-g32")
    // A pattern leaves what is protected, a plain name does not.
    #expect(found["unet.conv_out.weight"] == "plain")
    #expect(found["unet.conv_out.bias"] == "plain")
    #expect(found.filter { $0.key.hasPrefix("dit.") }.allSatisfy { $0.value == "plain" })
    #expect(found["vae.decoder.conv_in.weight"] == "int8-g32")
  }

  @Test func patternsRespectProtectionUnlessItIsLifted() throws {
    let folder = TemporaryFolder()
    var recipe = QuantizationRecipe(
      defaultEncoding: nil,
      rules: [
        .init(pattern: "llm.*", action: .encode(.book4)), .init(pattern: "dit.norm_out.*", action: .encode(.even8)),
      ]
    )
    let kept = try quantize(TinySample.path, to: folder["q"], recipe)
    #expect(encodings(kept)["llm.embed_tokens.weight"] == "int8-g32")
    #expect(encodings(kept)["dit.norm_out.linear_2.weight"] == "plain")
    #expect(encodings(kept)["llm.layers.0.mlp.up_proj.weight"] == "book4-g32")
    recipe.unprotects = true
    let lifted = encodings(try quantize(TinySample.path, to: folder["r"], recipe))
    #expect(lifted["llm.embed_tokens.weight"] == "book4-g32" && lifted["dit.norm_out.linear_2.weight"] == "even8-g32")
    // What is overridden is told, and what is not.
    func notes() throws -> [String] {
      try ConversionPlan(source: ModelSource(path: TinySample.path), options: ConversionOptions(recipe: recipe)).notes
    }
    #expect(try notes().contains { $0.hasPrefix("less precise than the model needs it, as asked: 4 tensors") })
    recipe.unprotects = false
    #expect(try notes().contains { $0.hasPrefix("patterns also match what the model needs precise") })
  }

  /// Eight bits are enough for what is to have them.
  @Test func eightBitsAreEightBits() throws {
    let folder = TemporaryFolder()
    let found = encodings(try quantize(TinySample.path, to: folder["q"], .init(defaultEncoding: .even8)))
    #expect(found["llm.embed_tokens.weight"] == "even8-g32")
  }

  @Test func whatAShapeCannotMeetIsRefusedAndNothingWritten() throws {
    let folder = TemporaryFolder()
    let recipe = QuantizationRecipe(
      defaultEncoding: .int4, rules: [.init(pattern: "llm.norm.weight", action: .encode(.int4))])
    #expect(throws: RecipeError.self) { try quantize(TinySample.path, to: folder["q"], recipe) }
    let nothing = QuantizationRecipe(defaultEncoding: .int4, rules: [.init(pattern: "llm.nrom*", action: .keep)])
    #expect(throws: RecipeError.nothingMatches(pattern: "llm.nrom*")) {
      try quantize(TinySample.path, to: folder["q"], nothing)
    }
    folder.write(
      SafetensorsFile.bytes([("w", "F8_E8M0", [2, 2], [UInt8](repeating: 0, count: 4))]), to: "m.safetensors")
    #expect(throws: RecipeError.self) {
      try quantize(folder["m.safetensors"], to: folder["q"], .init(defaultEncoding: .int8))
    }
    #expect(folder.names == ["m.safetensors"])
  }

  @Test func bytesDoNotDependOnThreads() throws {
    let folder = TemporaryFolder()
    for threads in [1, 2, 7] {
      let plan = try quantize(
        TinySample.path, to: folder["\(threads)"], .init(defaultEncoding: .int4), threads: threads)
      #expect(folder.bytes(of: "\(threads)").count == plan.outputByteCount)
    }
    #expect(folder.bytes(of: "1") == folder.bytes(of: "2"))
    #expect(folder.bytes(of: "1") == folder.bytes(of: "7"))
  }

  @Test func aQuantizedFileIsSoundAndItsErrorsAreTheDiffs() throws {
    let folder = TemporaryFolder()
    _ = try quantize(TinySample.path, to: folder["q"], .init(defaultEncoding: .int4))
    let archive = try Archive(path: folder["q"])
    #expect(try ArchiveVerifier.verify(archive, threadCount: 2).isEmpty)
    let source = try ModelSource(path: TinySample.path)
    #expect(try SourceComparison.findings(archive, source: source, resources: Resources()).isEmpty)
    let diff = try WeightDiff(source, ModelSource(archive), resources: Resources())
    #expect(diff.rows.count == archive.index.tensors.count)
    for row in diff.rows {
      let stored = archive.index.tensors[archive.tensorNumber(row.name)!]
      guard let quality = stored.quality else {
        #expect(row.status == .equal, "\(row.name)")
        continue
      }
      #expect(row.status == .changed)
      #expect(abs(row.values!.sqnrDecibels - quality.sqnrDecibels) < 1e-6)
      #expect(abs(row.values!.cosine - quality.cosine) < 1e-9)
      #expect(Float(row.values!.largestError) == Float(quality.maximumAbsoluteError))
    }
  }

  @Test func anyRangeOfAQuantizedTensorReadsAsTheStreamDoes() throws {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(30)
    let values = generator.normals(37 * 75)
    folder.write(
      SafetensorsFile.bytes([("w", "F32", [37, 75], values.withUnsafeBytes { Array($0) })]), to: "m.safetensors")
    _ = try quantize(folder["m.safetensors"], to: folder["q"], .init(defaultEncoding: .int8))
    let source = try ModelSource(path: folder["q"])
    var streamed: [UInt8] = []
    try source.stream(0, through: AlignedBuffer(byteCount: 1 << 16)) { streamed += $0 }
    #expect(streamed.count == values.count * 4)
    for (first, count) in [(0, 1), (74, 2), (75, 75), (1000, 333), (37 * 75 - 1, 1), (0, 37 * 75)] {
      let buffer = try AlignedBuffer(byteCount: count * 4)
      try source.read(0, at: first * 4, into: buffer.bytes)
      #expect(Array(buffer.bytes) == Array(streamed[first * 4..<(first + count) * 4]))
    }
  }

  @Test func rowsThatAreTooWideForAStripeAreQuantizedTheSame() throws {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(31)
    // Wider than the buffer holds sixteen rows of: read in runs of columns, hashed in a pass of its own.
    let columns = 70_001
    let values = generator.normals(2 * columns)
    folder.write(
      SafetensorsFile.bytes([("w", "F32", [2, columns], values.withUnsafeBytes { Array($0) })]), to: "m.safetensors")
    _ = try quantize(folder["m.safetensors"], to: folder["q"], .init(defaultEncoding: .int4))
    let archive = try Archive(path: folder["q"])
    #expect(archive.index.tensors[0].source?.digest == SHA256.of(values.withUnsafeBytes { Array($0) }))
    var streamed: [Float] = []
    try ModelSource(archive).stream(0, through: AlignedBuffer(byteCount: 1 << 16)) {
      streamed += $0.bindMemory(to: Float.self)
    }
    #expect(streamed.count == values.count)
    let error = zip(values, streamed).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    let signal = values.reduce(0.0) { $0 + Double($1 * $1) }
    #expect(abs(10 * log10(signal / error) - archive.index.tensors[0].quality!.sqnrDecibels) < 1e-3)
  }

  @Test func aTiedHeadSharesTheCodesOfTheEmbedding() throws {
    let folder = TinySample.copy()
    var config = String(decoding: folder.bytes(of: "tiny/config.json"), as: UTF8.self)
    config = config.replacingOccurrences(of: "\"tie_word_embeddings\": false", with: "\"tie_word_embeddings\": true")
    folder.write(config, to: "tiny/config.json")
    try TinySample.copyEmbeddingOverHead(folder)
    _ = try quantize(folder["tiny"], to: folder["q"], .init(defaultEncoding: .int4))
    let archive = try Archive(path: folder["q"])
    let stored = archive.index.tensors[archive.tensorNumber("llm.lm_head.weight")!]
    #expect(stored.aliasOf == archive.tensorNumber("llm.embed_tokens.weight"))
    #expect(try ArchiveVerifier.verify(archive, threadCount: 1).isEmpty)
  }

  @Test func exportDequantizes() throws {
    let folder = TemporaryFolder()
    _ = try quantize(TinySample.path, to: folder["q"], .init(defaultEncoding: .int8))
    let export = try SafetensorsExport().plan(ModelSource(path: folder["q"]), ExportOptions(dtype: .f32))
    try Exporter.run(export, to: folder["e"], resources: Resources())
    let diff = try WeightDiff(ModelSource(path: folder["q"]), ModelSource(path: folder["e"]), resources: Resources())
    #expect(diff.rows.allSatisfy { $0.status == .equal })
  }

  @Test func aProductReadsTheMappedFileWhereItLies() throws {
    let folder = TemporaryFolder()
    for encoding in [GroupEncoding.int8, .int4] {
      _ = try quantize(TinySample.path, to: folder["q"], .init(defaultEncoding: encoding))
      let archive = try Archive(path: folder["q"])
      let mapping = try MappedFile(archive.file)
      let number = archive.tensorNumber("dit.layers.0.feed_forward.linear_1.weight")!
      let tensor = archive.owner(of: number)
      let (rows, columns) = (tensor.info.matrix.rows, tensor.info.matrix.columns)
      let planes = try tensor.planes.map { try archive.bytes(of: $0, named: tensor.info.name, in: mapping) }
      let matrix = EncodedMatrix(encoding, EncodedShape(tensor.info.matrix, dtype: .f32), planes: planes)
      // One activation of 127, the others 0: the product is a column of the decoded weights, exactly.
      var values = [Float](repeating: 0, count: columns)
      values[5] = 127
      let groups = GroupTile.count(columns: columns)
      let memory = try AlignedBuffer(byteCount: groups * QuantizedGroups.byteCount)
      let quantized = QuantizedGroups(memory.bytes.baseAddress!, count: groups)
      quantized.quantize(values, rowCount: 1, columns: columns, at: 0)
      var output = [Float](repeating: 0, count: rows)
      [0].withUnsafeBufferPointer { runs in
        encoding.multiply(
          matrix, outputs: 0..<rows,
          by: QuantizedRows(quantized, first: 0, rowCount: 1, stride: groups, runs: runs, runGroups: groups),
          into: &output, stride: rows)
      }
      let plain = try AlignedBuffer(byteCount: rows * columns * 4)
      try ModelSource(archive).read(number, at: 0, into: plain.bytes)
      let weights = plain.bytes.assumingMemoryBound(to: Float.self)
      for row in 0..<rows { #expect(output[row] == weights[row * columns + 5] * 127) }
    }
  }

  @Test func aDamagedPlaneIsFoundThroughTheMapping() throws {
    let folder = TemporaryFolder()
    _ = try quantize(TinySample.path, to: folder["q"], .init(defaultEncoding: .int8))
    let plane = try Archive(path: folder["q"]).index.tensors.first { $0.planes.count == 2 }!.planes[0]
    var bytes = folder.bytes(of: "q")
    bytes[plane.offset + plane.byteCount - 1] ^= 1
    folder.write(bytes, to: "q")
    let archive = try Archive(path: folder["q"])
    let mapping = try MappedFile(archive.file)
    let tensor = archive.index.tensors.first { $0.planes.count == 2 }!
    #expect(throws: ArchiveError.self) {
      _ = try archive.bytes(of: tensor.planes[0], named: tensor.info.name, in: mapping)
    }
  }

  /// A convolution's kernels are written tap after tap, and read back in the source's order by every way to them.
  @Test(arguments: [GroupEncoding.int8, .int4], [false, true]) func kernelsKeepTheirOrderForReaders(
    encoding: GroupEncoding, isThreaded: Bool
  ) throws {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(91)
    let (outputs, channels) = (37, 48)
    let values = generator.normals(outputs * channels * 9)
    folder.write(
      SafetensorsFile.bytes([("conv.weight", "F32", [outputs, channels, 3, 3], values.withUnsafeBytes { Array($0) })]),
      to: "m.safetensors")
    let plan = try ConversionPlan(
      source: ModelSource(path: folder["m.safetensors"]),
      options: .init(
        recipe: .init(defaultEncoding: encoding), resources: Resources(threadCount: isThreaded ? 3 : 1)))
    try Converter.run(plan, to: folder["q"])
    let archive = try Archive(path: folder["q"])
    #expect(archive.encoded(0)?.shape.order == .tapMajor)
    // Each tap by itself, as the encoding of a matrix.
    var expected = values
    for tap in 0..<9 {
      let own = (0..<outputs * channels).map { values[$0 * 9 + tap] }
      let decoded = try EncodedValues(own, rows: outputs, columns: channels, encoding).decoded()
      for (index, value) in decoded.enumerated() { expected[index * 9 + tap] = value }
    }
    let source = ModelSource(archive)
    var streamed: [UInt8] = []
    try source.stream(0, through: AlignedBuffer(byteCount: 1 << 16)) { streamed += $0 }
    #expect(streamed == expected.withUnsafeBytes { Array($0) })
    let part = try AlignedBuffer(byteCount: 1000 * 4)
    for start in [0, 1, 431, 433, 1000, outputs * channels * 9 - 1000] {
      try source.read(0, at: start * 4, into: part.bytes)
      #expect(Array(part.bytes) == expected[start..<start + 1000].withUnsafeBytes { Array($0) })
    }
  }
}
