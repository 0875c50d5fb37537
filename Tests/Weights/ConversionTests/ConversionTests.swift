import BantamArchive
import Exports
import Foundation
import Kernels
import SampleSupport
import Tensors
import Testing
import TestSupport

import Conversion
@testable import ModelSources
import Comparison

@Suite struct ConversionTests {
  private func convert(
    _ source: String, to path: String, components: [String]? = nil, dtype: DType? = nil, threads: Int = 2,
    layout: (@Sendable (TensorInfo) -> TileLayout?)? = nil
  ) throws -> ConversionPlan {
    var options = ConversionOptions(components: components, dtype: dtype, resources: Resources(threadCount: threads))
    options.layout = layout
    let plan = try ConversionPlan(source: ModelSource(path: source), options: options)
    try Converter.run(plan, to: path)
    return plan
  }

  private func export(_ archive: Archive, to path: String) throws {
    try Exporter.run(SafetensorsExport().plan(ModelSource(archive)), to: path, resources: Resources())
  }

  /// Plain bytes by file and name.
  private func content(_ path: String) throws -> [String: [UInt8]] {
    let source = try ModelSource(path: path)
    var content: [String: [UInt8]] = [:]
    for (number, tensor) in source.tensors.enumerated() {
      let buffer = try AlignedBuffer(byteCount: tensor.info.byteCount)
      try source.read(number, at: 0, into: buffer.bytes)
      content["\(tensor.file)|\(tensor.info.name.text)|\(tensor.info.dtype)|\(tensor.info.shape)"] = Array(buffer.bytes)
    }
    return content
  }

  @Test func aReleaseFolderComesBackByteForByte() throws {
    let folder = TemporaryFolder()
    let plan = try convert(TinySample.path, to: folder["t.bantam"], components: ["all"])
    #expect(folder.bytes(of: "t.bantam").count == plan.outputByteCount)
    let archive = try Archive(path: folder["t.bantam"])
    try export(archive, to: folder["export"])
    #expect(try content(folder["export"]) == content(TinySample.path))
    for file in ["config.json", "tokenizer.json", "merges.txt", "diffusion-decoder/unet/config.json"] {
      #expect(folder.bytes(of: "export/" + file) == TinySample.folder.bytes(of: "tiny/" + file))
    }
    #expect(try ArchiveVerifier.verify(archive, threadCount: 2).isEmpty)
    let source = try ModelSource(path: TinySample.path)
    #expect(try SourceComparison.findings(archive, source: source, resources: Resources()).isEmpty)
  }

  @Test func theExportedFolderConvertsToTheSameContent() throws {
    let folder = TemporaryFolder()
    _ = try convert(TinySample.path, to: folder["a.bantam"])
    try export(Archive(path: folder["a.bantam"]), to: folder["export"])
    _ = try convert(folder["export"], to: folder["b.bantam"])
    let (a, b) = (try Archive(path: folder["a.bantam"]), try Archive(path: folder["b.bantam"]))
    #expect(a.index.tensors.map(\.info) == b.index.tensors.map(\.info))
    #expect(a.index.tensors.map(\.source?.digest) == b.index.tensors.map(\.source?.digest))
  }

  @Test func bytesDoNotDependOnThreadsOrRuns() throws {
    let folder = TemporaryFolder()
    for (number, threads) in [1, 2, 7, 2].enumerated() {
      _ = try convert(TinySample.path, to: folder["\(number)"], threads: threads)
    }
    for number in 1...3 { #expect(folder.bytes(of: "0") == folder.bytes(of: "\(number)")) }
  }

  @Test func componentsAreChosen() throws {
    let folder = TemporaryFolder()
    _ = try convert(TinySample.path, to: folder["d"])
    #expect(
      try Archive(path: folder["d"]).index.components.map(\.name) == ["vision", "queries", "llm", "dit", "unet", "vae"])
    _ = try convert(TinySample.path, to: folder["l"], components: ["llm", "gen_vision"])
    #expect(try Archive(path: folder["l"]).index.components.map(\.name) == ["llm", "gen_vision"])
    #expect(throws: FamilyError.self) { try convert(TinySample.path, to: folder["x"], components: ["nonsense"]) }
    #expect(folder.names == ["d", "l"])
  }

  @Test(arguments: [DType.f32, .f16]) func castsAreThoseOfTheKernels(dtype: DType) throws {
    let folder = TemporaryFolder()
    _ = try convert(TinySample.path, to: folder["c"], components: ["dit"], dtype: dtype)
    let archive = try Archive(path: folder["c"])
    let source = try ModelSource(path: TinySample.path)
    for (number, tensor) in archive.index.tensors.enumerated() {
      let count = tensor.info.elementCount
      let origin = source.tensors.firstIndex { $0.info.name == tensor.source!.name && $0.folder == "" }!
      let (bf16, stored) = (
        try AlignedBuffer(byteCount: count * 2), try AlignedBuffer(byteCount: tensor.info.byteCount)
      )
      try source.read(origin, at: 0, into: bf16.bytes)
      try archive.readable(number).read(at: 0, into: stored.bytes)
      for index in 0..<count {
        let value = Float(
          bitPattern: UInt32(bf16.bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)) << 16)
        if dtype == .f32 {
          #expect(stored.bytes.loadUnaligned(fromByteOffset: index * 4, as: Float.self) == value)
        } else {
          #expect(stored.bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self) == Float16(value).bitPattern)
        }
      }
    }
  }

  @Test func everyDTypeSurvivesUnchangedEvenWhenOthersAreCast() throws {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(10)
    let tensors = DType.allCases.map { dtype in
      (name: "t.\(dtype.name)", dtype: dtype.name, shape: [3, 8], data: generator.bytes(3 * dtype.bitWidth))
    }
    folder.write(SafetensorsFile.bytes(tensors), to: "m.safetensors")
    _ = try convert(folder["m.safetensors"], to: folder["m.bantam"], dtype: .f32)
    let archive = try Archive(path: folder["m.bantam"])
    for (number, tensor) in tensors.enumerated() where !DType(rawValue: tensor.dtype)!.isReal {
      let buffer = try AlignedBuffer(byteCount: tensor.data.count)
      try archive.readable(archive.tensorNumber(TensorName(tensor.name))!).read(at: 0, into: buffer.bytes)
      #expect(Array(buffer.bytes) == tensors[number].data)
    }
    try export(archive, to: folder["export"])
    #expect(try ModelSource(path: folder["export"]).tensors.count == tensors.count)
  }

  @Test func nonFiniteValuesKeepEveryBit() throws {
    let folder = TemporaryFolder()
    let data: [UInt8] = [0x81, 0x7F, 0x80, 0x7F, 0x80, 0xFF, 0x01, 0x00, 0x00, 0x80, 0xFF, 0xFF]
    folder.write(SafetensorsFile.bytes([("w", "BF16", [2, 3], data)]), to: "m.safetensors")
    _ = try convert(folder["m.safetensors"], to: folder["m.bantam"])
    let archive = try Archive(path: folder["m.bantam"])
    let buffer = try AlignedBuffer(byteCount: 12)
    try archive.readable(0).read(at: 0, into: buffer.bytes)
    #expect(Array(buffer.bytes) == data)
    #expect(archive.index.tensors[0].statistics?.nonfiniteCount == 4)
    #expect(archive.index.tensors[0].statistics?.zeroCount == 1)
  }

  /// In tiles, and with the kernels of convolutions tap after tap in segments.
  @Test(arguments: [false, true]) func tiledLayoutsReadBackPlain(isSegmented: Bool) throws {
    let folder = TemporaryFolder()
    let plan = try convert(TinySample.path, to: folder["t.bantam"], components: ["dit", "vae"]) { info in
      guard info.shape.count >= 2 else { return nil }
      let hasTaps = isSegmented && info.matrix.taps > 1
      return TileLayout(
        elementBits: info.dtype.bitWidth, tileRows: 16, tileColumns: 6, turnColumns: 2,
        columnOrder: hasTaps ? .tapMajor : .source, segmentColumns: hasTaps ? info.matrix.channels : 0)
    }
    #expect((plan.archive.index.layouts.count > 2) == isSegmented)
    let archive = try Archive(path: folder["t.bantam"])
    #expect(
      try SourceComparison.findings(archive, source: ModelSource(path: TinySample.path), resources: Resources()).isEmpty
    )
    #expect(try ArchiveVerifier.verify(archive, threadCount: 1).isEmpty)
  }

  @Test func aTiedHeadIsStoredOnceIfItsBytesAreEqual() throws {
    for isEqual in [true, false] {
      let folder = TinySample.copy()
      var config = String(decoding: folder.bytes(of: "tiny/config.json"), as: UTF8.self)
      config = config.replacingOccurrences(of: "\"tie_word_embeddings\": false", with: "\"tie_word_embeddings\": true")
      folder.write(config, to: "tiny/config.json")
      if isEqual { try TinySample.copyEmbeddingOverHead(folder) }
      let plan = try convert(folder["tiny"], to: folder["t.bantam"], components: ["llm"])
      let head = try #require(plan.archive.index.tensors.last)
      #expect(head.info.name == "llm.lm_head.weight")
      #expect((head.aliasOf == 0) == isEqual)
      let archive = try Archive(path: folder["t.bantam"])
      #expect(
        try SourceComparison.findings(archive, source: ModelSource(path: folder["tiny"]), resources: Resources())
          .isEmpty)
      try export(archive, to: folder["export"])
      #expect(try ModelSource(path: folder["export"]).tensors.contains { $0.info.name == "lm_head.weight" })
    }
  }

  @Test func anArchiveConvertsToAnArchive() throws {
    let folder = TemporaryFolder()
    _ = try convert(TinySample.path, to: folder["a.bantam"])
    _ = try convert(folder["a.bantam"], to: folder["b.bantam"], components: ["vae"])
    let (a, b) = (try Archive(path: folder["a.bantam"]), try Archive(path: folder["b.bantam"]))
    #expect(b.index.components.map(\.name) == ["vae"])
    let number = try #require(a.tensorNumber(b.index.tensors[0].info.name))
    #expect(a.index.tensors[number].source?.digest == b.index.tensors[0].source?.digest)
    #expect(b.metadata["family"] == "blip3o")
    #expect(
      try SourceComparison.findings(b, source: ModelSource(path: TinySample.path), resources: Resources()).isEmpty)
  }

  @Test func damageInTheSourceIsFoundByComparison() throws {
    let folder = TinySample.copy()
    _ = try convert(folder["tiny"], to: folder["t.bantam"])
    let source = try ModelSource(path: folder["tiny"])
    let victim = source.tensors.first { $0.info.name == "model.norm.weight" }!
    var file = folder.bytes(of: "tiny/" + victim.file)
    file[victim.offset] ^= 1
    folder.write(file, to: "tiny/" + victim.file)
    let findings = try SourceComparison.findings(
      Archive(path: folder["t.bantam"]), source: ModelSource(path: folder["tiny"]), resources: Resources())
    #expect(Set(findings.map(\.name)) == ["llm.norm.weight"])
  }

  @Test func theOutputIsNeverOneOfTheInputs() throws {
    let folder = TemporaryFolder()
    folder.write(SafetensorsFile.bytes([("w", "U8", [1], [1])]), to: "m.safetensors")
    let before = folder.bytes(of: "m.safetensors")
    #expect(throws: FileError.outputIsInput(path: folder["m.safetensors"])) {
      try convert(folder["m.safetensors"], to: folder["m.safetensors"])
    }
    link(folder["m.safetensors"], folder["other"])
    #expect(throws: FileError.outputIsInput(path: folder["other"])) {
      try convert(folder["m.safetensors"], to: folder["other"])
    }
    #expect(folder.bytes(of: "m.safetensors") == before)
  }

  @Test func tooLittleMemoryIsSaidBeforeWork() throws {
    let options = ConversionOptions(resources: Resources(threadCount: 2, memoryByteCount: 1000))
    #expect(throws: ResourcesError.self) {
      try ConversionPlan(source: ModelSource(path: TinySample.path), options: options)
    }
  }

  @Test func aSourceThatIsCutWhileItIsReadLeavesNothing() throws {
    let folder = TinySample.copy()
    let source = try ModelSource(path: folder["tiny"])
    let plan = try ConversionPlan(source: source, options: ConversionOptions())
    truncate(folder["tiny/" + source.tensors[0].file], 5000)
    #expect(throws: (any Error).self) { try Converter.run(plan, to: folder["t.bantam"]) }
    #expect(folder.names == ["tiny"])
  }

  @Test func aWishToStopLeavesNothing() throws {
    let folder = TemporaryFolder()
    let resources = Resources()
    let plan = try ConversionPlan(
      source: ModelSource(path: TinySample.path), options: ConversionOptions(resources: resources))
    resources.cancellation.cancel()
    #expect(throws: FileError.cancelled) { try Converter.run(plan, to: folder["t.bantam"]) }
    #expect(folder.names.isEmpty)
  }

  @Test func samplesDependOnTheSeedAndNothingElse() throws {
    let folder = TemporaryFolder()
    _ = try convert(TinySample.path, to: folder["a"])
    // The archive's digests identify all weights.
    let digests = try Archive(path: folder["a"]).index.tensors.compactMap(\.source?.digest.description).joined()
    #expect(
      SHA256.of(Array(digests.utf8)).description == "30c27fd2fa97dcbc26ad526e440ff9248d34c1ec5da1faccae27f150d3a03c6d")
  }
}
