import BantamArchive
import Checkpoints
import Comparison
import Conversion
import Foundation
import ModelSources
import Tensors
import Testing
import TestSupport

/// A Qwen2.5-VL as llama.cpp holds it, beside the same weights under the release's names (CheckpointsTests/Fixtures/qwen).
@Suite struct NameMapTests {
  static let fixtures = Repository.checkpoints + "/qwen"

  @Test func languageModelAndProjectorBecomeOurComponents() throws {
    let map = try ModelMap(ModelSource(path: Self.fixtures + "/gguf"))
    let release = try ModelMap(ModelSource(path: Self.fixtures + "/release"))
    #expect(map.family == "blip3o")
    #expect(map.components.map(\.name) == release.components.map(\.name))
    for (ours, theirs) in zip(map.components, release.components) {
      #expect(
        ours.tensors.map(\.name) == theirs.tensors.map(\.name) && ours.tensors.map(\.role) == theirs.tensors.map(\.role)
      )
    }
  }

  @Test(arguments: ["/gguf", "/gguf/model.gguf", "/gguf/mmproj.gguf"]) func diffFindsNoDifference(path: String) throws {
    let diff = try WeightDiff(
      ModelSource(path: Self.fixtures + "/release"), ModelSource(path: Self.fixtures + path),
      resources: Resources(threadCount: 2))
    #expect(!diff.rows.isEmpty && diff.rows.allSatisfy { $0.status == .equal })
  }

  @Test func aConvertedGGUFHoldsTheSameValues() throws {
    let folder = TemporaryFolder()
    let plan = try ConversionPlan(
      source: ModelSource(path: Self.fixtures + "/gguf"),
      options: ConversionOptions(resources: Resources(threadCount: 2)))
    try Converter.run(plan, to: folder["q.bantam"])
    let diff = try WeightDiff(
      ModelSource(path: Self.fixtures + "/release"), ModelSource(path: folder["q.bantam"]),
      resources: Resources(threadCount: 2))
    #expect(diff.rows.count == 57 && diff.rows.allSatisfy { $0.status == .equal })
    let archive = try Archive(path: folder["q.bantam"])
    #expect(
      try SourceComparison.findings(
        archive, source: ModelSource(path: Self.fixtures + "/gguf"), resources: Resources(threadCount: 2)
      ).isEmpty)
  }

  @Test func blockTypesConvertToWhatTheyDecodeTo() throws {
    let folder = TemporaryFolder()
    let types = URL(fileURLWithPath: Self.fixtures).deletingLastPathComponent().appendingPathComponent("gguf").path
    // Those that can only be listed cannot be converted: the first is named.
    let source = try ModelSource(path: types + "/types.gguf")
    #expect(throws: CheckpointError.self) { try ConversionPlan(source: source, options: ConversionOptions()) }
    let quantized = URL(fileURLWithPath: Self.fixtures).deletingLastPathComponent()
    for name in ["mlx", "bitsandbytes", "compressed-tensors", "fp8-blocks"] {
      let sources = quantized.appendingPathComponent(name).path
      // A copy without the expected values, which would be taken for weights.
      for file in ["model.safetensors", "config.json"] {
        guard let bytes = FileManager.default.contents(atPath: sources + "/" + file) else { continue }
        folder.write([UInt8](bytes), to: name + "/" + file)
      }
      let plan = try ConversionPlan(source: ModelSource(path: folder[name]), options: ConversionOptions())
      try Converter.run(plan, to: folder[name + ".bantam"])
      let diff = try WeightDiff(
        ModelSource(path: sources + "/all.expected.safetensors"), ModelSource(path: folder[name + ".bantam"]),
        resources: Resources(threadCount: 2))
      #expect(!diff.rows.isEmpty && diff.rows.allSatisfy { $0.status == .equal }, "\(name)")
    }
  }
}
