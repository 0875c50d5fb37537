import Foundation
import JSONText
import ModelSources
import Reports
import Tensors
import TestSupport
import Testing

/// What is shown of the tensors of other programs' files.
@Suite struct SourceInspectionTests {
  private static func inspection(_ path: String) throws -> Inspection {
    try Inspection(path: Repository.checkpoints + "/" + path)
  }

  private static func details(_ path: String, _ name: String) throws -> JSONValue {
    let inspection = try inspection(path)
    return try TensorDetails(inspection, inspection.tensor(named: name)).json
  }

  private static func map(_ path: String, _ name: String) throws -> LayoutMap {
    let inspection = try inspection(path)
    return LayoutMap(inspection, try inspection.tensor(named: name))
  }

  // MARK: Digests

  /// SHA-256 of ranges of the fixture files, by Python's hashlib: `sha256(b"".join(data[begin:end] for begin, end in ranges))`. The
  /// ranges are `data_offset` and `n_bytes` of gguf-py's reader; in PyTorch's zip the local header's end plus the offsets of the first
  /// and behind the last element by `stride()` and `storage_offset()`; in safetensors the `data_offsets` of the parts, sorted by name;
  /// in npz the packed bytes of the zip entry; of DeepSpeed the fragments that torch.load gives, process after process.
  private static let stored: [(path: String, name: String, digest: String)] = [
    ("gguf/types.gguf", "Q4_K", "a2c525751ffb109c709527d9d5c01458a45626c92fae289af911c628ab1a7499"),
    ("gguf/types.gguf", "IQ3_S", "5ac43d632751eb6adeb4771208972ec8adcf3f54302a166ef36c38d429946de6"),
    ("gguf/types.gguf", "Q8_K", "8ed4f9af96652b280db6b08b5bf39e46cd5b505883f6bb262742a9ef10b30985"),
    ("gguf/types.gguf", "f16", "5fc20bb4d9e31c86526f07cc027dc7019b84cb8a056d556cfa4526f41a1dc201"),
    ("torch/plain.bin", "plain", "dcfa504369a79614503151a3c59fdb76ad73eefa69865c81e8657f9a2af38e99"),
    // The same range as the one above, in another order.
    ("torch/plain.bin", "transposed", "dcfa504369a79614503151a3c59fdb76ad73eefa69865c81e8657f9a2af38e99"),
    ("torch/plain.bin", "cut", "fe5503e1f481326cfed32a644f6d5ccd3ca22e505dd8cbe53d47364f4fcd069c"),
    ("torch/plain.bin", "column", "cfccc752ff0c243f3206d517572ef61349fdbaf97dbc90daa069f10d830e710e"),
    ("torch/plain.bin", "row", "b4888f0f2955d16e5398a2caf37bce95ca385babfbf5bd22ca11fbef89a1d6c3"),
    ("torch/plain.bin", "expanded", "feccd59c488a22f8c968ab1397f86b9013273e2340a90a824fe20fb6e15dd33d"),
    ("torch/plain.bin", "float8 transposed", "fe062dd3b7d82a9e70d044d4b8ad98f4ad5590315e3272ac620503637bdb0629"),
    (
      "mlx/model.safetensors", "float16.bits4.group32.weight",
      "23373eff9f375c17645f07c8870e6280d4a394b032e16a80476bfcb132fce933"
    ),
    (
      "bitsandbytes/model.safetensors", "nf4.float16.nested.weight",
      "0cd26a0f0232cc09d8105a624c66d581990357bd0b986846b59e73312ad95db2"
    ),
    (
      "bitsandbytes/model.safetensors", "int8.weight",
      "2f93e74fd4c257dd8eb66cd95c0e08c827e87ddcb8f334f46a0084040bf0b5ee"
    ),
    (
      "compressed-tensors/model.safetensors", "packed4.group.float16.asymmetric.weight",
      "27ae6136b98693c6130f4cb84ca1fca4888c7431fd3a3dfeb6fcc29aeaf61714"
    ),
    // A part that is not decoded.
    ("parts/model.safetensors", "gptq.qweight", "0b38c5bd690533aeb45a3f6fcb64a306e17d436b904a3f4363c170b5b9b36b96"),
    ("numpy/deflated.npz", "float16", "bf07b3ffaa8206bbaf0793fd4c951b3820fdb59d5b8b5761f7a8cb688d7ec64f"),
    ("numpy/deflated.npz", "fortran", "f486930c491e6588f901f64e7e0a26bd7e3bb949e09ba11fd40bdbb90817aa74"),
    ("numpy/fortran.npy", "fortran", "1df6c55f5b976036b5589e43e3ab8b29d85669018757b3461db80bad5032eb54"),
    // Joined of the query, key and value of the file.
    (
      "qwen/gguf/mmproj.gguf", "vision.blocks.0.attn.qkv.weight",
      "28fdeb2a56d1a2f6a674f603ca2f8a5d9ff528da8a3626b403c9d7f9f9f17e88"
    ),
    ("deepspeed-3/global_step2", "frozen.weight", "d4227119dd7728e7891dfcccaec2023f362439900d1c8a058a4c3b3ed8514b6c"),
  ]

  @Test(arguments: stored.indices) func storedDigestsAreThoseOfTheBytesInTheFile(index: Int) throws {
    let (path, name, digest) = Self.stored[index]
    let inspection = try Self.inspection(path)
    let tensor = try inspection.tensor(named: name)
    let digests = try TensorDigests.all(of: inspection.source, numbers: [tensor.number], resources: .init())
    #expect(digests[tensor.number]?.stored.description == digest)
  }

  /// `sha256(v.contiguous())` of the tensors that torch.load gives.
  @Test(arguments: [
    ("transposed", "cb1e5e8a3170a84dddcbc72f87ea5201b7ad13bb151a6863fa43faf6e0e4346e"),
    ("cut", "11bf7f5a8049ba7c14e655b8d61239dd152dbbd702a0177c552a05bde9403428"),
    ("expanded", "e36adb7ef5bd1c7b9193fb07b1321ea7ea0acf642ea6971c9b77b14c2106ebf5"),
  ]) func digestsOfValuesAreThoseOfRowMajorBytes(name: String, digest: String) throws {
    let inspection = try Self.inspection("torch/plain.bin")
    let number = try inspection.tensor(named: name).number
    let digests = try TensorDigests.all(of: inspection.source, numbers: [number], resources: .init())
    #expect(digests[number]?.plain?.description == digest)
  }

  @Test func everyTensorHasAStoredDigestAndListedOnesHaveNoOther() throws {
    let inspection = try Self.inspection("gguf/types.gguf")
    let digests = try TensorDigests.all(
      of: inspection.source, numbers: inspection.tensors.map(\.number), resources: .init())
    #expect(digests.count == inspection.tensors.count)
    for tensor in try #require(inspection.document(digests: digests).json["tensors"]?.array) {
      let isListed = ["IQ2_XXS", "IQ3_S", "TQ1_0", "Q8_K"].contains(tensor["name"]?.string)
      #expect((tensor["sha256"] == .null) == isListed && tensor["stored_sha256"]?.string != nil, "\(tensor)")
    }
  }

  // MARK: Details

  @Test func detailsTellWhatIsReadAndWhatIsStored() throws {
    let expected: [(path: String, name: String, dtype: String, stored: String)] = [
      ("gguf/types.gguf", "Q4_K", "F32", "Q4_K"), ("gguf/types.gguf", "f16", "F16", "F16"),
      ("torch/plain.bin", "float16", "F16", "F16"),
      ("mlx/model.safetensors", "float16.bits4.group32.weight", "F32", "F16, U32"),
      ("bitsandbytes/model.safetensors", "nf4.in-bfloat16.weight", "F32", "BF16, F32, U8"),
      ("numpy/deflated.npz", "float16", "F16", "F16"),
    ]
    for (path, name, dtype, stored) in expected {
      let details = try Self.details(path, name)
      #expect(details["dtype"]?.string == dtype && details["stored_dtype"]?.string == stored, "\(path) \(name)")
      #expect(details["source_dtype"] == details["stored_dtype"])
    }
  }

  @Test func detailsOfViewsShowTheStorageAndWhoSharesIt() throws {
    let cut = try #require(try Self.details("torch/plain.bin", "cut")["stored"]?.array?.first)
    #expect(cut["arrangement"] == "strided" && cut["strides"] == [8, 1] && cut["storage_offset"] == 10)
    #expect(cut["storage"] == [3200, 3392] && cut["begin"] == 3240 && cut["end"] == 3356)
    #expect(cut["shared_with"] == ["plain", "transposed", "every second", "row", "column"])
    #expect(cut["shared_with_count"] == 5)
    let alone = try #require(try Self.details("torch/plain.bin", "float16")["stored"]?.array?.first)
    #expect(alone["arrangement"] == "contiguous" && alone["shared_with"] == [])
    // Tensors without elements share nothing, wherever their storages are said to lie.
    let empty = try #require(try Self.details("torch/plain.bin", "empty")["stored"]?.array?.first)
    #expect(empty["arrangement"] == "contiguous" && empty["shared_with_count"] == 0)
    let safetensors = try #require(try Self.details("parts/model.safetensors", "plain.weight")["stored"]?.array?.first)
    #expect(safetensors["arrangement"] == "contiguous" && safetensors["strides"] == nil)
  }

  @Test func detailsOfBlocksShowRowsAndSizes() throws {
    let blocks = try #require(try Self.details("gguf/types.gguf", "IQ3_S")["stored"]?.array?.first)
    let expected: JSONValue = .members([
      "name": "IQ3_S", "file": "types.gguf", "begin": 29792, "end": 30012, "dtype": "IQ3_S", "arrangement": "blocks",
      "rows": 2, "blocks_per_row": 1, "bytes_per_row": 110, "elements_per_block": 256, "bytes_per_block": 110,
    ])
    #expect(blocks == expected)
  }

  @Test func aPatternSelectsInOrder() throws {
    let inspection = try Self.inspection("gguf/types.gguf")
    func names(_ pattern: String) throws -> [String] { try inspection.tensors(matching: pattern).map(\.name.text) }
    #expect(try names("Q?_0") == ["Q4_0", "Q5_0", "Q8_0"])
    #expect(try names("*").count == inspection.tensors.count)
    #expect(try names("Q[45]_K") == ["Q4_K", "Q5_K"])
    #expect(try names("f16") == ["f16"])
    #expect {
      _ = try inspection.tensors(matching: "Q9*")
    } throws: {
      ($0 as? any ReportingError)?.report.message.contains("holds no tensor 'Q9*'") == true
    }
    // By the names of the file too.
    #expect(try Self.inspection("qwen/gguf/mmproj.gguf").tensors(matching: "mm.?.bias").count == 2)
  }

  @Test func aNameWithTheSignsOfAPatternIsThatTensor() throws {
    let folder = TemporaryFolder()
    folder.write(
      SafetensorsFile.bytes(["a*", "ab", "a[b]"].map { ($0, "U8", [1], [7]) }), to: "m.safetensors")
    let inspection = try Inspection(path: folder["m.safetensors"])
    #expect(try inspection.tensors(matching: "a*").map(\.name.text) == ["a*"])
    #expect(try inspection.tensors(matching: "a[b]").map(\.name.text) == ["a[b]"])
    #expect(try inspection.tensors(matching: "a?").map(\.name.text) == ["a*", "ab"])
  }

  // MARK: Layout

  @Test func layoutsOfBlocksAreByBlock() throws {
    let map = try Self.map("gguf/types.gguf", "Q4_K")
    #expect(map.spans.count == 9 && map.omittedCount == 0)
    #expect(map.descriptions == ["values as 3 x 768: Q4_K, rows of 3 blocks, 256 elements in 144 bytes"])
    for (number, span) in map.spans.enumerated() {
      #expect(span.rows == number / 3..<number / 3 + 1)
      #expect(span.columns == number % 3 * 256..<(number % 3 + 1) * 256)
      #expect(span.bytes == 20992 + number * 144..<20992 + (number + 1) * 144)
    }
    // A type that is only listed has blocks too.
    #expect(try Self.map("gguf/types.gguf", "IQ3_S").spans.map(\.bytes) == [29792..<29902, 29902..<30012])
    #expect(try Self.map("gguf/types.gguf", "f16").spans.map(\.bytes) == [30816..<30826, 30826..<30836, 30836..<30846])
  }

  @Test func layoutsOfViewsAreByRow() throws {
    let transposed = try Self.map("torch/plain.bin", "transposed")
    #expect(
      transposed.descriptions[0].contains("8 x 6: F32, strides [1, 8], from element 0 of the storage at byte 3200"))
    #expect(transposed.spans.count == 8 && transposed.spans.allSatisfy { $0.step == 32 })
    #expect(transposed.spans[1].bytes == 3204..<3204 + 5 * 32 + 4)
    #expect(transposed.document.lines().contains { $0.hasPrefix("values  0-0   0-5      3200-3363     32") })
    let cut = try Self.map("torch/plain.bin", "cut")
    #expect(cut.spans.map(\.bytes) == (0..<4).map { 3240 + $0 * 32..<3260 + $0 * 32 })
    #expect(cut.spans.allSatisfy { $0.step == nil })
    #expect(try Self.map("torch/plain.bin", "expanded").spans.map(\.step) == [0, 0, 0, 0, 0])
    #expect(
      try Self.map("torch/plain.bin", "row").descriptions[0].contains("row-major, from element 24 of the storage"))
  }

  @Test func layoutsOfPartsAreInTheirOwnRows() throws {
    let map = try Self.map("mlx/model.safetensors", "float16.bits4.group32.weight")
    let stem = "float16.bits4.group32"
    #expect(
      map.spans.map(\.plane)
        == ["biases", "scales", "weight"].flatMap { [String](repeating: "\(stem).\($0)", count: 3) })
    // The header ends at 5687, the biases begin at 6158, 12 bytes a row.
    #expect(map.spans[0].bytes == 5687 + 6158..<5687 + 6170 && map.spans[0].columns == 0..<6)
    #expect(map.spans[8].bytes.upperBound == 5687 + 4646 && map.spans[8].columns == 0..<24)
    let partitions = try Self.map("deepspeed-3/global_step2", "frozen.weight")
    #expect(
      partitions.document.lines().contains { $0.hasSuffix("  file") } && Set(partitions.spans.map(\.file)).count == 2)
    let packed = try Self.map("numpy/deflated.npz", "float16")
    #expect(packed.spans.map(\.bytes) == [449..<650] && packed.descriptions[0].contains("stored as deflate"))
  }

  // MARK: Hostile files

  /// Whatever opens can be looked at in every way.
  @Test(arguments: [
    "torch/plain.bin", "torch/before-zip.pth", "torch/one-tensor.pt", "gguf/original-shape.gguf", "gguf/types.gguf",
    "numpy/deflated.npz", "numpy/fortran.npy", "mlx-experts/model.safetensors", "parts/model.safetensors",
  ]) func mutantsAreShownOrRefused(path: String) throws {
    let folder = TemporaryFolder()
    let whole = folder.bytes(of: Repository.checkpoints + "/" + path)
    let ending = (path as NSString).pathExtension
    var generator = SeededGenerator(17)
    for _ in 0..<150 {
      let mutant = folder.write(generator.mutant(of: whole), to: "m.\(ending)")
      guard let inspection = try? Inspection(path: mutant) else { continue }
      let tensors = inspection.tensors.filter { $0.info.byteCount < 1 << 20 && $0.storedByteCount < 1 << 20 }
      for tensor in inspection.tensors { _ = LayoutMap(inspection, tensor, limit: 4).document.lines() }
      _ = try? TensorReport(inspection, tensors, resources: .init()).document.lines()
      _ = try? TensorDigests.all(of: inspection.source, numbers: tensors.map(\.number), resources: .init())
    }
  }
}
