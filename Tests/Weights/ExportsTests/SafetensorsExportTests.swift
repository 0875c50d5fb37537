import BantamArchive
import Comparison
import Foundation
import JSONText
import ModelSources
import Tensors
import Testing
import TestSupport

@testable import Exports

@Suite struct SafetensorsExportTests {
  @Test func aReleaseFolderComesOutAsItIs() throws {
    let folder = TemporaryFolder()
    try export(ExportSample.path, as: .safetensors, to: folder["e"])
    #expect(try values(folder["e"]) == values(ExportSample.path))
    #expect(sizes(folder["e"]).keys.sorted() == sizes(ExportSample.path).keys.sorted())
    for file in ["config.json", "tokenizer.json", "merges.txt", "diffusion-decoder/unet/config.json"] {
      #expect(folder.bytes(of: "e/" + file) == ExportSample.folder.bytes(of: "tiny/" + file))
    }
  }

  @Test func theFolderAndItsNativeFileGiveTheSame() throws {
    let folder = TemporaryFolder()
    try ExportSample.convert(ExportSample.path, to: folder["all.bantam"], components: ["all"])
    try export(ExportSample.path, as: .safetensors, to: folder["a"])
    try export(folder["all.bantam"], as: .safetensors, to: folder["b"])
    #expect(sizes(folder["a"]) == sizes(folder["b"]))
    for name in sizes(folder["a"]).keys { #expect(folder.bytes(of: "a/" + name) == folder.bytes(of: "b/" + name)) }
  }

  @Test func quantizedTensorsAreDecoded() throws {
    let folder = TemporaryFolder()
    let int4 = ExportSample.folder["int4.bantam"]
    let plan = try export(int4, as: .safetensors, to: folder["e"])
    #expect(plan.notes.contains { $0.contains("quantized tensors will be plain numbers") })
    let diff = try WeightDiff(ModelSource(path: int4), ModelSource(path: folder["e"]), resources: Resources())
    #expect(!diff.rows.isEmpty && diff.rows.allSatisfy { $0.status == .equal })
    #expect(try values(folder["e"]).keys.contains { $0.hasPrefix("|model.layers.0.mlp.up_proj.weight|f32") })
  }

  /// What another program has quantized comes out as the numbers that it means, and what still says otherwise is named.
  @Test func whatOthersHaveQuantizedIsDecoded() throws {
    let folder = TemporaryFolder()
    for name in ["model.safetensors", "config.json"] {
      folder.write([UInt8](FileManager.default.contents(atPath: fixtures + "/mlx/" + name)!), to: "mlx/" + name)
    }
    let plan = try export(folder["mlx"], as: .safetensors, to: folder["e"])
    #expect(plan.notes.contains { $0.hasPrefix("config.json still says") })
    let diff = try WeightDiff(
      ModelSource(path: fixtures + "/mlx/all.expected.safetensors"), ModelSource(path: folder["e/model.safetensors"]),
      resources: Resources())
    #expect(!diff.rows.isEmpty && diff.rows.allSatisfy { $0.status == .equal })
  }

  @Test func componentsAreChosenAndTheOthersNamed() throws {
    let folder = TemporaryFolder()
    let plan = try export(ExportSample.path, as: .safetensors, to: folder["e"], dtype: .f32, components: ["vae"])
    #expect(try values(folder["e"]).keys.allSatisfy { $0.hasPrefix("diffusion-decoder/vae|") })
    #expect(plan.notes.contains { $0.hasPrefix("left out: ") && $0.contains("llm") })
    #expect(throws: FamilyError.self) {
      try SafetensorsExport().plan(ModelSource(path: ExportSample.path), ExportOptions(components: ["nonsense"]))
    }
  }

  @Test func aGGUFFileComesOutUnderTheReleasesNames() throws {
    let folder = TemporaryFolder()
    try export(ExportSample.folder["int4.bantam"], as: .gguf, to: folder["m.gguf"])
    try export(folder["m.gguf"], as: .safetensors, to: folder["e"])
    #expect(folder.names == ["e", "m.gguf"])
    #expect(sizes(folder["e"]).keys.sorted() == [".bantam-folder", "m.safetensors"])
    #expect(try values(folder["e"]) == values(folder["m.gguf"]))
    #expect(try values(folder["e"]).keys.contains { $0.hasPrefix("|model.layers.2.self_attn.q_proj.bias|") })
  }

  /// Under its own names where no family is known, shards with an index.
  @Test(arguments: [
    ("torch/plain.bin", ["plain.safetensors"]),
    (
      "torch-sharded",
      [
        "pytorch_model-00001-of-00002.safetensors", "pytorch_model-00002-of-00002.safetensors",
        "pytorch_model.safetensors.index.json",
      ]
    ),
    ("numpy/stored.npz", ["stored.safetensors"]),
  ]) func otherLayoutsComeOutUnderTheirNames(name: String, files: [String]) throws {
    let folder = TemporaryFolder()
    var source = fixtures + "/" + name
    if Folder.exists(source) {
      // Without the expected values, which would be taken for weights.
      try FileManager.default.copyItem(atPath: source, toPath: folder["source"])
      try FileManager.default.removeItem(atPath: folder["source/all.expected.safetensors"])
      source = folder["source"]
    }
    try export(source, as: .safetensors, to: folder["e"])
    #expect(sizes(folder["e"]).keys.sorted() == ([".bantam-folder"] + files).sorted())
    #expect(try values(folder["e"]) == values(source))
  }

  @Test func partsOfOtherEncodingsGoAlongBitForBit() throws {
    let folder = TemporaryFolder()
    try export(fixtures + "/parts/model.safetensors", as: .safetensors, to: folder["e"], dtype: .f16)
    let (before, after) = (try values(fixtures + "/parts/model.safetensors"), try values(folder["e"]))
    let source = try ModelSource(path: fixtures + "/parts/model.safetensors")
    #expect(before.count == after.count)
    for tensor in source.tensors where tensor.isPart {
      let key = "|\(tensor.info.name)|\(tensor.info.dtype)|\(tensor.info.shape)"
      #expect(after[key] == before[key], "\(key)")
    }
  }

  /// A native file may carry files of any name, also those that the output needs.
  @Test(arguments: ["model.safetensors", ".bantam-folder"]) func twoFilesOfOneNameAreRefused(name: String) throws {
    let folder = TemporaryFolder()
    let info = try #require(TensorInfo(name: "w", dtype: .u8, shape: [1]))
    let plan = ArchivePlan(
      components: [
        (
          name: "model",
          tensors: [
            ArchivePlan.Tensor(
              info: info, role: "tensor", encoding: .plain,
              planes: [.init(kind: .values, layout: .rowMajor, byteCount: 1)], source: nil, hasStatistics: false)
          ]
        )
      ], sourceFiles: [], blobs: [(name, Array("text".utf8))], metadata: .members([:]))
    let writer = try ArchiveWriter(path: folder["m.bantam"], plan: plan)
    let sink = writer.sink(tensor: 0, plane: 0)
    try [UInt8](repeating: 1, count: 1).withUnsafeBytes { try sink.append($0) }
    writer.record(tensor: 0, planes: [sink], sourceDigest: nil, statistics: nil, quality: nil)
    try writer.commit()
    #expect(throws: ExportError.fileTwice(path: folder["m.bantam"], file: name)) {
      try SafetensorsExport().plan(ModelSource(path: folder["m.bantam"]))
    }
  }
}
