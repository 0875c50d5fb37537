import Foundation
import Kernels
import SampleSupport
import Tensors
import Testing
import TestSupport

import Conversion
@testable import ModelSources
@testable import Samples

@Suite struct FamilyTests {
  /// The release's tensors as PyTorch's own classes give them: number, parameters, and the SHA-256 of the sorted lines
  /// `folder|name|dimensions`. Made once from instances on the meta device with the released configurations
  /// (transformers 5.23.0, diffusers 0.42.1).
  static let manifests: [(scale: String, count: Int, parameters: Int, digest: String)] = [
    ("4b", 4411, 12_159_665_454, "5f4b18738bf5b36687b14f06b374312836da7a1af8decdf108bec49938d1e153"),
    ("8b", 4316, 16_697_770_286, "5959d0d4f4565af702460b077d0d2e788db949ab80c450321f2e5093dd17fb4a"),
  ]

  @Test(arguments: manifests.indices) func theMapNamesEveryTensorOfTheRelease(index: Int) throws {
    let (name, count, parameters, digest) = Self.manifests[index]
    let map = try #require(try FamilyMap.builtIn().first { $0.name == "blip3o" })
    let scale = try #require(SampleScale.all.first { $0.name == name })
    let symbols = scale.symbols(vocabularySize: 151_668)
    let tensors = try map.components.flatMap { try map.tensors(of: $0, symbols: symbols) }.filter { !$0.isOptional }
    let lines = tensors.map { "\($0.folder)|\($0.sourceName)|\($0.shape!.map(String.init).joined(separator: ","))\n" }
    #expect(tensors.count == count)
    #expect(tensors.reduce(0) { $0 + $1.shape!.reduce(1, *) } == parameters)
    #expect(
      SHA256.of(Array(lines.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.joined().utf8)).description == digest)
    #expect(Set(tensors.map(\.name)).count == count)
  }

  @Test(arguments: ["8*c", "u2+u1", "3", "a*b*2+c"]) func sizesAreRead(text: String) {
    #expect(SizeExpression(text)?.value { ["c": 2, "u2": 5, "u1": 3, "a": 2, "b": 3][$0] } != nil)
  }

  @Test(arguments: ["", "a-b", "2**3", "a+", "(a)", "-1"]) func otherTextsAreNoSizes(text: String) {
    #expect(SizeExpression(text) == nil)
  }

  @Test func sizesThatOverflowHaveNoValue() {
    #expect(SizeExpression("a*a")?.value { _ in 1 << 40 } == nil)
    #expect(SizeExpression("a+a")?.value { _ in Int.max } == nil)
  }

  @Test func nearestNamesComeFirst() {
    let names = ["llm.layers.0.mlp.up_proj.weight", "llm.layers.0.mlp.down_proj.weight", "vae.conv_in.bias"]
    #expect(nearestNames(to: "llm.layers.0.mlp.upproj.weight", in: names).first == names[0])
    #expect(nearestNames(to: "completely different", in: names).isEmpty)
  }
}

@Suite struct ModelMapTests {
  private func map(_ path: String, family: String? = nil) throws -> ModelMap {
    try ModelMap(ModelSource(path: path), family: family)
  }

  /// Rewrites one safetensors file of a copied sample with its tensors changed.
  private func rewrite(
    _ folder: TemporaryFolder, _ file: String,
    _ change: (inout [(name: String, dtype: String, shape: [Int], data: [UInt8])]) -> Void
  ) throws {
    let source = try ModelSource(path: folder["tiny/" + file])
    var tensors = try source.tensors.indices.map { number in
      let info = source.tensors[number].info
      let buffer = try AlignedBuffer(byteCount: info.byteCount)
      try source.read(number, at: 0, into: buffer.bytes)
      return (name: info.name.text, dtype: info.dtype.name, shape: info.shape, data: [UInt8](buffer.bytes))
    }
    change(&tensors)
    folder.write(SafetensorsFile.bytes(tensors), to: "tiny/" + file)
  }

  private static let unet = "diffusion-decoder/unet/diffusion_pytorch_model.bf16.safetensors"
  private static let vae = "diffusion-decoder/vae/diffusion_pytorch_model.bf16.safetensors"

  @Test func everyComponentOfASampleIsFound() throws {
    let map = try map(TinySample.path)
    #expect(map.family == "blip3o")
    #expect(
      map.components.map(\.name) == ["vision", "queries", "llm", "dit", "unet", "vae", "gen_vision", "stale_vae"])
    #expect(map.components.filter { !$0.isDefault }.map(\.name) == ["gen_vision", "stale_vae"])
    #expect(map.components.first { $0.name == "llm" }!.tensors.first!.name == "llm.embed_tokens.weight")
    #expect(map.components.first { $0.name == "llm" }!.tensors.last!.name == "llm.lm_head.weight")
  }

  @Test func aMissingTensorIsNamedWithItsNearest() throws {
    let folder = TinySample.copy()
    try rewrite(folder, Self.unet) { tensors in
      let index = tensors.firstIndex { $0.name == "conv_in.bias" }!
      tensors[index].name = "conv_inn.bias"
    }
    do {
      _ = try map(folder["tiny"])
      Issue.record("accepted")
    } catch FamilyError.missing(_, let component, let count, let first, let nearest) {
      #expect(component == "unet" && count == 1 && first == "conv_in.bias" && nearest == ["conv_inn.bias"])
    }
  }

  @Test func anUnclaimedTensorIsNamedWithItsNearest() throws {
    let folder = TinySample.copy()
    try rewrite(folder, Self.unet) { $0.append((name: "conv_inn.bias", dtype: "U8", shape: [1], data: [0])) }
    do {
      _ = try map(folder["tiny"])
      Issue.record("accepted")
    } catch FamilyError.unclaimed(_, let count, let first, let nearest) {
      #expect(count == 1 && first == "conv_inn.bias" && nearest.first == "conv_in.bias")
    }
    // Asked for by name, any tensors are taken.
    #expect(try map(folder["tiny"], family: "generic").components.count == 3)
  }

  @Test func aShapeThatContradictsTheConfigIsNamed() throws {
    let folder = TinySample.copy()
    try rewrite(folder, Self.vae) { tensors in
      let index = tensors.firstIndex { $0.name == "quant_conv.bias" }!
      tensors[index].shape = [4, 2]
    }
    #expect(throws: FamilyError.self) { try map(folder["tiny"]) }
  }

  @Test func aComponentThatIsNotThereIsAbsentAndNotAnError() throws {
    let folder = TinySample.copy()
    try FileManager.default.removeItem(atPath: folder["tiny/diffusion-decoder"])
    let map = try map(folder["tiny"])
    #expect(!map.components.contains { $0.name == "unet" })
    do {
      _ = try map.selected(["unet"], path: "p")
      Issue.record("accepted")
    } catch { #expect(error.report.message.contains("'unet' is not in this source (has: vision, queries, llm, dit")) }
  }

  static let badConfigs: [(rule: String, text: String)] = [
    ("not JSON", "{"), ("a list", "[]"), ("layers as text", #"{"model_type":"blip3o_qwen","num_hidden_layers":"3"}"#),
    ("layers negative", #"{"model_type":"blip3o_qwen","num_hidden_layers":-1}"#),
    ("layers beyond reason", #"{"model_type":"blip3o_qwen","num_hidden_layers":1000000000}"#),
    ("layers beyond 64 bits", #"{"model_type":"blip3o_qwen","num_hidden_layers":99999999999999999999}"#),
    ("hidden size of zero", #"{"model_type":"blip3o_qwen","hidden_size":0}"#),
    ("a key twice", #"{"model_type":"blip3o_qwen","model_type":"x"}"#),
  ]

  @Test(arguments: badConfigs.indices) func aBadConfigIsRefused(index: Int) throws {
    let folder = TinySample.copy()
    folder.write(Self.badConfigs[index].text, to: "tiny/config.json")
    #expect(throws: (any Error).self, "\(Self.badConfigs[index].rule)") { try map(folder["tiny"]) }
  }

  @Test func anotherModelsFolderIsGenericAndSaysSo() throws {
    let folder = TinySample.copy()
    folder.write(#"{"model_type":"llama"}"#, to: "tiny/config.json")
    let map = try map(folder["tiny"])
    #expect(map.family == "generic")
    #expect(!map.notes.isEmpty)
    #expect(map.components.map(\.name) == ["model", "diffusion-decoder.unet", "diffusion-decoder.vae"])
    #expect(throws: FamilyError.self) { try self.map(folder["tiny"], family: "blip3o") }
    #expect(throws: FamilyError.self) { try self.map(folder["tiny"], family: "gpt") }
  }

  @Test func componentsOfAnyFolderNamesAreApart() throws {
    let folder = TemporaryFolder()
    folder.write(SafetensorsFile.bytes([("x", "U8", [1], [1])]), to: "f/x.safetensors")
    folder.write(SafetensorsFile.bytes([("y", "U8", [1], [1])]), to: "f/model/y.safetensors")
    // A link back to the folder itself is not walked again.
    symlink(".", folder["f/loop"])
    #expect(try map(folder["f"]).components.map(\.name) == ["model", "model_"])
    let plan = try ConversionPlan(source: ModelSource(path: folder["f"]), options: ConversionOptions())
    try Converter.run(plan, to: folder["m"])
    #expect(try ModelSource(path: folder["m"]).tensors.count == 2)
  }

  @Test func filesThatTheReleaseHoldsBesidesAreNoStumblingBlock() throws {
    let folder = TinySample.copy()
    folder.write("{}", to: "tiny/trainer_state.json")
    folder.write("# readme", to: "tiny/diffusion-decoder/README.md")
    folder.write("import x", to: "tiny/diffusion-decoder/pipeline_llava_gen.py")
    folder.write("{}", to: "tiny/diffusion-decoder/tokenizer/tokenizer.json")
    folder.write(
      SafetensorsFile.bytes([("x", "U8", [1], [1])]), to: "tiny/diffusion-decoder/safety_checker/model.safetensors")
    #expect(try map(folder["tiny"]).components.count == 8)
  }
}
