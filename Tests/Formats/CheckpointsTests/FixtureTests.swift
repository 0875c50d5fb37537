import Checkpoints
import Foundation
import Tensors
import Testing
import TestSupport

/// Files made by the libraries that own each layout (Fixtures/make_fixtures.py) give what those libraries read from them.
@Suite struct FixtureTests {
  static let fixtures = Bundle.module.resourcePath! + "/Fixtures"

  /// What is opened, and the file that holds what its owner reads.
  static let cases: [(path: String, expected: String)] = {
    var cases: [(path: String, expected: String)] = []
    for folder in ["torch", "numpy", "zstd", "gguf"] {
      let names = (try? Folder.names(in: fixtures + "/" + folder)) ?? []
      for name in names where !name.hasSuffix(".expected.safetensors") {
        cases.append(("\(folder)/\(name)", "\(folder)/\(name).expected.safetensors"))
      }
    }
    for folder in [
      "torch-sharded", "deepspeed-2", "deepspeed-3", "gguf-split", "mlx", "bitsandbytes", "compressed-tensors",
      "fp8-blocks", "exponent-scales", "comfy-fp8", "mlx-experts",
    ] {
      cases.append((folder, "\(folder)/all.expected.safetensors"))
    }
    cases.append(("torch-sharded/pytorch_model.bin.index.json", "torch-sharded/all.expected.safetensors"))
    cases.append(("gguf-split/model-00002-of-00003.gguf", "gguf-split/all.expected.safetensors"))
    return cases
  }()

  @Test func allAreThere() { #expect(Self.cases.count == 42) }

  /// The folder without what is expected of it, so that this is not read as its weights.
  static func source(_ path: String) throws -> (path: String, folder: TemporaryFolder?) {
    let full = fixtures + "/" + path
    guard Folder.exists(full) || path.contains("sharded/") || path.contains("split/") else { return (full, nil) }
    let copy = TemporaryFolder()
    let root = Folder.exists(full) ? full : Folder.split(full).folder
    for name in try FileManager.default.subpathsOfDirectory(atPath: root) {
      guard !name.hasSuffix(".expected.safetensors"), Folder.hasFile(root + "/" + name) else { continue }
      copy.write([UInt8](FileManager.default.contents(atPath: root + "/" + name)!), to: name)
    }
    return (Folder.exists(full) ? copy.path : copy[Folder.split(full).name], copy)
  }

  @Test(arguments: cases.map(\.path)) func valuesAreWhatTheOwnerReads(path: String) throws {
    let expectedPath = Self.cases.first { $0.path == path }!.expected
    let (source, folder) = try Self.source(path)
    let checkpoint = try Checkpoint(path: source)
    let expected = try Checkpoint(path: Self.fixtures + "/" + expectedPath)
    var found = Dictionary(uniqueKeysWithValues: checkpoint.entries.map { ($0.info.name, $0) })
    for want in expected.entries {
      guard let entry = found.removeValue(forKey: want.info.name) else {
        Issue.record("\(want.info.name) is missing")
        continue
      }
      #expect(entry.info.dtype == want.info.dtype && entry.info.shape == want.info.shape, "\(want.info.name)")
      guard entry.info == want.info else { continue }
      let bytes = try Self.bytes(entry, checkpoint)
      #expect(bytes == (try Self.bytes(want, expected)), "\(want.info.name)")
      try Self.checkPieces(entry, checkpoint, bytes)
    }
    // Types that are listed only have no values to compare, and what is no weight is told as such.
    for entry in found.values {
      #expect(!Self.isReadable(entry) || entry.part != nil, "\(entry.info.name) is not expected")
    }
    _ = folder
  }

  static func isReadable(_ entry: Checkpoint.Entry) -> Bool {
    if case .listedOnly = entry.content { false } else { true }
  }

  static func bytes(_ entry: Checkpoint.Entry, _ checkpoint: Checkpoint) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xAA, count: entry.info.byteCount)
    try bytes.withUnsafeMutableBytes { try checkpoint.read(entry, at: 0, into: $0) }
    return bytes
  }

  /// Any range of elements gives the same bytes as the whole.
  static func checkPieces(_ entry: Checkpoint.Entry, _ checkpoint: Checkpoint, _ whole: [UInt8]) throws {
    let width = max(1, entry.info.dtype.bitWidth / 8)
    var generator = SeededGenerator(7)
    for _ in 0..<4 where entry.info.elementCount > 0 {
      let first = Int(generator.next() % UInt64(entry.info.elementCount))
      let count = 1 + Int(generator.next() % UInt64(entry.info.elementCount - first))
      var piece = [UInt8](repeating: 0x55, count: count * width)
      try piece.withUnsafeMutableBytes { try checkpoint.read(entry, at: first * width, into: $0) }
      #expect(
        piece.elementsEqual(whole[(first * width)..<((first + count) * width)]), "\(entry.info.name) from \(first)")
    }
  }

  @Test func ggufMetadataOfEveryType() throws {
    let checkpoint = try Checkpoint(path: Self.fixtures + "/gguf/types.gguf")
    let file = checkpoint.files[0]
    let expected = [
      "general.architecture": "test", "test.uint8": "200", "test.int8": "-3", "test.uint16": "60000",
      "test.int16": "-300", "test.uint32": "4000000000", "test.int32": "-70000", "test.uint64": "9223372036854775813",
      "test.int64": "-1099511627776", "test.float32": "0.1", "test.float64": "0.1", "test.bool": "true",
      "test.string": "päck ☃", "test.strings": "300 x string: [token 0, token 1, token 2, token 3, …]",
      "test.numbers": "1000 x int32: [0, 1, 2, 3, …]",
    ]
    for (key, value) in expected { #expect(file.value(of: key) == value, "\(key)") }
    #expect(file.metadata.count == expected.count)
    let listed = checkpoint.entries.filter { !Self.isReadable($0) }.map(\.encoding).sorted()
    #expect(listed == ["IQ2_XXS", "IQ3_S", "Q8_K", "TQ1_0"])
  }

  @Test func trainingStateBesideTheWeightsIsNamed() throws {
    let checkpoint = try Checkpoint(path: Self.fixtures + "/torch/training.ckpt")
    #expect(checkpoint.notes == ["passed over 'epoch' and 3 more keys beside the weights"])
  }

  @Test(arguments: [
    ("tutorial.pt", "passed over 'epoch' and 2 more keys beside the weights"),
    ("beside.pt", "passed over 'optimizer' beside the weights"),
    ("with-arrays.pt", "'a' and 1 more are NumPy arrays in a pickle, not read: not in the result"),
  ]) func whatIsNoWeightIsNamed(name: String, note: String) throws {
    #expect(try Checkpoint(path: Self.fixtures + "/torch/" + name).notes == [note])
  }

  @Test func contiguousStoragesAreReadWhereTheyLie() throws {
    let checkpoint = try Checkpoint(path: Self.fixtures + "/torch/plain.bin")
    let plain = Set(checkpoint.entries.filter { $0.encoding == "plain" }.map(\.info.name.text))
    #expect(plain.isSuperset(of: ["plain", "row", "parameter", "float8_e5m2", "scalar", "empty"]))
    #expect(plain.isDisjoint(with: ["transposed", "cut", "column", "expanded", "permuted"]))
  }
}
