import BantamArchive
import Comparison
import Foundation
import Quantization
import Tensors
import Testing
import TestSupport

import Conversion
import Exports
@testable import ModelSources

/// The maps of the families that cannot be run, and the work that can be done with them.
@Suite struct FamilyMapTests {
  private static let resources = Resources(threadCount: 2)

  private func plan(_ path: String, _ recipe: QuantizationRecipe? = nil) throws -> ConversionPlan {
    try ConversionPlan(
      source: ModelSource(path: path), options: ConversionOptions(recipe: recipe, resources: Self.resources))
  }

  private func encodings(_ plan: ConversionPlan) -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: plan.archive.index.tensors.map {
        ($0.info.name.text, plan.archive.index.encodings[$0.encoding].name)
      })
  }

  @Test(arguments: SynthesizedRelease.allCases) func theMapNamesEveryTensor(release: SynthesizedRelease) throws {
    let manifest = try ReleaseManifest(release.rawValue).tensors
    let expected = try release.expected(release.releaseSymbols)
    let required = expected.filter { !$0.isOptional }
    #expect(Set(required.map { "\($0.sourceName) \($0.shape!)" }) == Set(manifest.map { "\($0.name) \($0.shape)" }))
    #expect(required.count == manifest.count && manifest.count == release.counts.tensors)
    #expect(manifest.reduce(0) { $0 + $1.shape.reduce(1, *) } == release.counts.parameters)
    #expect(Set(expected.map(\.name)).count == expected.count)
    // The head may be left out, and is the embedding where it is not.
    let optional = expected.filter(\.isOptional)
    #expect(optional.map(\.sourceName) == (release == .next ? ["lm_head.weight"] : []))
    #expect(optional.allSatisfy { $0.sameAs == "llm.embed_tokens.weight" && $0.shape == [217_210, 2048] })
  }

  /// At the release's sizes up to the plan; files of these sizes are not made in tests.
  @Test(arguments: SynthesizedRelease.allCases) func thePlanFollowsTheTable(release: SynthesizedRelease) throws {
    let folder = try release.sparse()
    let plan = try plan(folder["m"], .init(defaultEncoding: .int4))
    let found = encodings(plan)
    #expect(plan.archive.index.tensors.count == release.counts.tensors)
    let shared = [
      ("sana.transformer_blocks.0.ff.conv_inverted.weight", "int4-g32"),
      ("sana.transformer_blocks.19.ff.conv_point.weight", "int4-g32"),
      ("sana.transformer_blocks.0.attn1.to_q.weight", "int4-g32"),
      ("sana.transformer_blocks.0.attn2.to_out.0.weight", "int4-g32"),
      ("sana.transformer_blocks.0.ff.conv_depth.weight", "plain"),
      ("sana.transformer_blocks.0.scale_shift_table", "plain"), ("sana.scale_shift_table", "plain"),
      ("sana.patch_embed.proj.weight", "plain"), ("sana.proj_out.weight", "plain"),
      ("sana.time_embed.linear.weight", "plain"),
      ("sana.time_embed.emb.timestep_embedder.linear_1.weight", "plain"),
      ("sana.caption_projection.linear_2.weight", "plain"), ("connector.0.weight", "int8-g32"),
      ("vae_decoder.up_blocks.5.0.conv_out.conv_inverted.weight", "int8-g32"),
      ("vae_decoder.up_blocks.0.1.conv1.weight", "int8-g32"),
      ("vae_decoder.up_blocks.5.0.attn.to_qkv_multiscale.0.proj_in.weight", "plain"),
      ("vae_decoder.up_blocks.5.0.attn.to_qkv_multiscale.0.proj_out.weight", "plain"),
      ("vae_encoder.down_blocks.5.0.conv_out.conv_depth.weight", "plain"),
      ("vae_encoder.conv_in.weight", "plain"), ("vae_decoder.conv_in.weight", "plain"),
      ("vae_decoder.conv_out.weight", "plain"),
    ]
    let own: [(String, String)] =
      switch release {
      case .next:
        [
          ("llm.embed_tokens.weight", "int8-g32"), ("llm.layers.27.mlp.down_proj.weight", "int4-g32"),
          ("llm.layers.0.self_attn.q_norm.weight", "plain"),
          ("ta_tok.encoder.encoder.layers.0.mlp.fc1.weight", "int8-g32"),
          ("ta_tok.encoder.embeddings.position_embedding.weight", "plain"),
          ("ta_tok.bottleneck.regularizer.embedding.weight", "plain"), ("ta_tok.encoder.head.probe", "plain"),
          ("ta_tok.scale_layer.shift", "plain"),
        ]
      case .reconstruction:
        [
          ("siglip2.encoder.layers.26.self_attn.q_proj.weight", "int8-g32"),
          ("siglip2.embeddings.patch_embedding.weight", "plain"),
        ]
      }
    for (name, encoding) in shared + own { #expect(found[name] == encoding, "\(name)") }
    // Nothing of fewer inputs a row than a group has is quantized.
    for tensor in plan.archive.index.tensors where tensor.info.shape.dropFirst().reduce(1, *) < 48 {
      #expect(found[tensor.info.name.text] == "plain", "\(tensor.info)")
    }
  }

  @Test(arguments: SynthesizedRelease.allCases) func aSmallModelComesBackByteForByte(release: SynthesizedRelease) throws
  {
    for hasHead in [true, false] {
      let folder = try release.small(hasHead: hasHead)
      let plan = try plan(folder["m"])
      #expect(plan.map.family == release.rawValue && plan.map.release == nil)
      try Converter.run(plan, to: folder["m.bantam"])
      let archive = try Archive(path: folder["m.bantam"])
      #expect(try ModelMap(ModelSource(archive)).title == plan.map.title)
      let head = archive.index.tensors.first { $0.info.name == "llm.lm_head.weight" }
      #expect((head?.aliasOf != nil) == (hasHead && release == .next), "one copy is stored")
      let source = try ModelSource(path: folder["m"])
      #expect(try ArchiveVerifier.verify(archive, threadCount: 2).isEmpty)
      #expect(try SourceComparison.findings(archive, source: source, resources: Self.resources).isEmpty)
      try Exporter.run(
        SafetensorsExport().plan(ModelSource(archive)), to: folder["back"], resources: Self.resources)
      #expect(folder.bytes(of: "back/config.json") == folder.bytes(of: "m/config.json"))
      let back = try ModelSource(path: folder["back"])
      #expect(Set(back.tensors.map(\.info.name)) == Set(source.tensors.map(\.info.name)))
      #expect(try ModelMap(back).family == release.rawValue)
      let diff = try WeightDiff(source, back, resources: Self.resources)
      #expect(diff.rows.count == source.tensors.count && diff.rows.allSatisfy { $0.status == .equal })
    }
  }

  @Test(arguments: SynthesizedRelease.allCases) func aSmallModelIsQuantized(release: SynthesizedRelease) throws {
    let folder = try release.small()
    let plan = try plan(folder["m"], .init(defaultEncoding: .int4))
    try Converter.run(plan, to: folder["q"])
    let archive = try Archive(path: folder["q"])
    let source = try ModelSource(path: folder["m"])
    #expect(try ArchiveVerifier.verify(archive, threadCount: 2).isEmpty)
    #expect(try SourceComparison.findings(archive, source: source, resources: Self.resources).isEmpty)
    let found = encodings(plan)
    let diff = try WeightDiff(source, ModelSource(archive), resources: Self.resources)
    for row in diff.rows {
      let isExact = found[row.name.text] == "plain"
      #expect(row.status == (isExact ? .equal : .changed), "\(row.name)")
      if !isExact { #expect(try #require(row.values).sqnrDecibels > 18, "\(row.name)") }
    }
    // Decoded and exported it is of the family still.
    try Exporter.run(
      SafetensorsExport().plan(ModelSource(archive), ExportOptions(dtype: .bf16)), to: folder["back"],
      resources: Self.resources)
    #expect(try ModelMap(ModelSource(path: folder["back"])).family == release.rawValue)
  }
}
