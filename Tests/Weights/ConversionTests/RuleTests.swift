import BantamArchive
import Checkpoints
import Comparison
import Encodings
import Foundation
import Kernels
import Quantization
import Tensors
import Testing
import TestSupport

import Conversion
@testable import ModelSources

/// Every weight-like thing of a source is in the result, or in a note, or the source is refused; and nothing that is no weight is taken
/// for one.
@Suite struct RuleTests {
  static let parts = Repository.checkpoints + "/parts"

  @discardableResult private func convert(
    _ source: String, to path: String, dtype: DType? = nil, recipe: QuantizationRecipe? = nil
  ) throws -> ConversionPlan {
    let plan = try ConversionPlan(
      source: ModelSource(path: source),
      options: ConversionOptions(dtype: dtype, recipe: recipe, resources: Resources(threadCount: 2)))
    try Converter.run(plan, to: path)
    return plan
  }

  private func bytes(_ source: ModelSource, _ number: Int) throws -> [UInt8] {
    let buffer = try AlignedBuffer(byteCount: source.tensors[number].info.byteCount)
    try source.read(number, at: 0, into: buffer.bytes)
    return Array(buffer.bytes)
  }

  // MARK: Parts

  /// Whatever is asked for, parts of another program's encoding arrive bit for bit, and `inspect` still calls them so.
  @Test(arguments: ["convert", "bf16", "int4"]) func partsAreCarriedAsTheyAre(work: String) throws {
    let folder = TemporaryFolder()
    let plan = try convert(
      Self.parts, to: folder["p"], dtype: work == "bf16" ? .bf16 : nil,
      recipe: work == "int4" ? .init(defaultEncoding: .int4) : nil)
    let (source, result) = (try ModelSource(path: Self.parts), try ModelSource(path: folder["p"]))
    #expect(source.tensors.count == result.tensors.count)
    var partCount = 0
    for (number, tensor) in source.tensors.enumerated() where tensor.isPart {
      let other = try #require(result.tensors.firstIndex { $0.info.name == tensor.info.name })
      #expect(result.tensors[other].info == tensor.info, "\(tensor.info.name)")
      #expect(try bytes(source, number) == bytes(result, other), "\(tensor.info.name)")
      #expect(result.tensors[other].isPart, "\(tensor.info.name)")
      partCount += 1
    }
    #expect(partCount >= 14)
    #expect(plan.notes.contains { $0.contains("GPTQ") })
    // And what is a weight is worked on.
    let plain = try #require(result.tensors.first { $0.info.name == "plain.weight" })
    #expect(!plain.isPart && (work != "bf16" || plain.info.dtype == .bf16))
  }

  // MARK: Floats of every size

  /// Values as torch decodes them, by code.
  @Test func float8IsAFloat() throws {
    let folder = TemporaryFolder()
    let codes = (0..<256).map { UInt8($0) }
    folder.write(
      SafetensorsFile.bytes([("a.weight", "F8_E4M3", [16, 16], codes), ("b.weight", "F8_E5M2", [16, 16], codes)]),
      to: "m.safetensors")
    try convert(folder["m.safetensors"], to: folder["f32"], dtype: .f32)
    let source = try ModelSource(path: folder["f32"])
    for (number, known) in [
      [
        (0x00, 0.0), (0x01, 0x1p-9), (0x07, 0x1.Cp-7), (0x08, 0x1p-6), (0x38, 1), (0x39, 1.125), (0x7E, 448),
        (0xB8, -1), (0xFE, -448),
      ],
      [
        (0x00, 0.0), (0x01, 0x1p-16), (0x03, 0x1.8p-15), (0x04, 0x1p-14), (0x3C, 1), (0x3D, 1.25), (0x7B, 57344),
        (0x7C, .infinity), (0xFC, -.infinity),
      ],
    ].enumerated() {
      let values = try bytes(source, number).withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
      #expect(source.tensors[number].info.dtype == .f32)
      for (code, value) in known { #expect(values[code] == Float(value), "\(code)") }
      for code in number == 0 ? [0x7F, 0xFF] : [0x7D, 0x7E, 0x7F, 0xFF] { #expect(values[code].isNaN, "\(code)") }
    }
    // A cast of its own loses nothing, and diff sees that.
    let diff = try WeightDiff(ModelSource(path: folder["m.safetensors"]), source, resources: Resources())
    for row in diff.rows { #expect(row.values?.largestError == 0, "\(row)") }
  }

  @Test func doublesAndFloat8AreQuantizedAndCompared() throws {
    let folder = TemporaryFolder()
    var generator = SeededGenerator(4)
    let values = generator.normals(64 * 64)
    let doubles = values.flatMap { value in withUnsafeBytes(of: Double(value).bitPattern.littleEndian) { Array($0) } }
    let eights = (0..<64 * 64).map { _ in UInt8(generator.next() % 0x78) | UInt8(generator.next() % 2) << 7 }
    folder.write(
      SafetensorsFile.bytes([("a.weight", "F64", [64, 64], doubles), ("b.weight", "F8_E4M3", [64, 64], eights)]),
      to: "m.safetensors")
    let plan = try convert(folder["m.safetensors"], to: folder["q"], recipe: .init(defaultEncoding: .int8))
    #expect(plan.archive.index.tensors.allSatisfy { plan.archive.index.encodings[$0.encoding].name.hasPrefix("int8") })
    let diff = try WeightDiff(
      ModelSource(path: folder["m.safetensors"]), ModelSource(path: folder["q"]), resources: Resources())
    for row in diff.rows {
      let decibels = try #require(row.values?.sqnrDecibels)
      #expect(decibels > 35 && decibels < 70, "\(row.name): \(decibels)")
    }
    #expect(
      try SourceComparison.findings(
        Archive(path: folder["q"]), source: ModelSource(path: folder["m.safetensors"]), resources: Resources()
      ).isEmpty)
  }

  // MARK: Files beside the weights

  /// A link out of the folder may lead to anything of the user's: only what is what its name says is carried.
  @Test func onlyWhatItsNameSaysIsCarried() throws {
    let folder = TemporaryFolder()
    folder.write(Self.tensors, to: "s/model.safetensors")
    folder.write("root:x:0:0", to: "secret")
    folder.write([0xFF, 0xFE, 0], to: "key")
    folder.write(#"{"a": 1}"#, to: "shared.json")
    for (name, target) in [
      ("tokenizer_config.json", "secret"), ("vocab.json", "key"), ("merges.txt", "secret"),
      ("generation_config.json", "shared.json"),
    ] {
      symlink(folder[target], folder["s/" + name])
    }
    let plan = try convert(folder["s"], to: folder["m"])
    #expect(try Archive(path: folder["m"]).index.blobs.map(\.name) == ["generation_config.json"])
    let whole = folder.bytes(of: "m")
    #expect(whole.firstRange(of: Array("root:x".utf8)) == nil)
    for name in ["tokenizer_config.json", "vocab.json", "merges.txt"] {
      #expect(plan.notes.contains { $0.contains(name) }, "\(name)")
    }
  }

  // MARK: A source that does not hold still

  private static let tensors = SafetensorsFile.bytes([("w", "F32", [64, 64], [UInt8](repeating: 1, count: 16_384))])

  /// Renamed over, written to, cut, or grown between the plan and the end: no file, and the reason.
  @Test(arguments: ["renamed over", "written to", "touched and written", "cut", "grown"])
  func aSourceThatChangesGivesNoFile(kind: String) throws {
    for companion in [false, true] {
      let folder = TemporaryFolder()
      folder.write(Self.tensors, to: "s/model.safetensors")
      folder.write("{}", to: "s/config.json")
      let changed = companion ? "s/config.json" : "s/model.safetensors"
      let source = try ModelSource(path: folder["s"])
      let plan = try ConversionPlan(source: source, options: ConversionOptions(resources: Resources(threadCount: 2)))
      let old = folder.bytes(of: changed)
      switch kind {
      case "renamed over":
        folder.write(Array(old.reversed()), to: "new")
        rename(folder["new"], folder[changed])
      case "written to", "touched and written":
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder[changed]))
        try file.seek(toOffset: UInt64(old.count - 1))
        try file.write(contentsOf: [9])
        try file.close()
        // The clock of the file system is coarse: what a later write would show is shown now.
        var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
        if kind == "touched and written" { utimensat(AT_FDCWD, folder[changed], &times, 0) }
        if kind == "written to" {
          times = [timespec(tv_sec: 4_000_000_000, tv_nsec: 0), timespec(tv_sec: 4_000_000_000, tv_nsec: 0)]
          utimensat(AT_FDCWD, folder[changed], &times, 0)
        }
      case "cut": truncate(folder[changed], off_t(old.count - 1))
      default:
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder[changed]))
        try file.seekToEnd()
        try file.write(contentsOf: [9])
        try file.close()
      }
      #expect(throws: (any Error).self, "\(kind), \(changed)") { try Converter.run(plan, to: folder["m"]) }
      #expect(folder.names == ["s"], "\(kind), \(changed)")
    }
  }

  /// The end of a mapped file's last page reads as zeros when the file is cut there: only its size shows it.
  @Test func aMappedFileThatIsCutInItsLastPageIsNoticed() throws {
    let folder = TemporaryFolder()
    folder.write(Self.tensors, to: "s.safetensors")
    try convert(folder["s.safetensors"], to: folder["m"])
    let size = folder.bytes(of: "m").count
    for cut in [1, 7, 100] {
      folder.write(folder.bytes(of: "m"), to: "copy")
      let source = try ModelSource(path: folder["copy"])
      let plan = try ConversionPlan(source: source, options: ConversionOptions())
      truncate(folder["copy"], off_t(size - cut))
      #expect(throws: (any Error).self, "\(cut)") { try Converter.run(plan, to: folder["out"]) }
      #expect(folder.names == ["copy", "m", "s.safetensors"])
    }
  }
}
