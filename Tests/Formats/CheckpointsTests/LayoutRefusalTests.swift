import Checkpoints
import Foundation
import Tensors
import Testing
import TestSupport

/// Folders and files of the layouts beyond safetensors and PyTorch that are refused, or taken in part, each for one reason.
@Suite struct LayoutRefusalTests {
  /// A copy of a fixture that may be damaged.
  static func copy(of name: String) throws -> TemporaryFolder {
    let folder = TemporaryFolder()
    let root = FixtureTests.fixtures + "/" + name
    for path in try FileManager.default.subpathsOfDirectory(atPath: root)
    where !path.hasSuffix(".expected.safetensors") && Folder.hasFile(root + "/" + path) {
      folder.write([UInt8](FileManager.default.contents(atPath: root + "/" + path)!), to: path)
    }
    return folder
  }

  static func error(_ path: String) -> CheckpointError? {
    do {
      _ = try Checkpoint(path: path)
      return nil
    } catch { return error }
  }

  // MARK: DeepSpeed

  static let model1 = "zero_pp_rank_1_mp_rank_00_model_states.pt"
  static let optim = (0...1).map { "bf16_zero_pp_rank_\($0)_mp_rank_00_optim_states.pt" }

  static let deepSpeed: [(rule: String, change: @Sendable (String) throws -> Void, error: DeepSpeedError)] = [
    (
      "a process's model state is missing", { try FileManager.default.removeItem(atPath: $0 + "/" + model1) },
      .filesMissing(first: model1, count: 1)
    ),
    (
      "a process's optimizer state is missing", { try FileManager.default.removeItem(atPath: $0 + "/" + optim[1]) },
      .filesMissing(first: optim[1], count: 1)
    ),
    (
      "all optimizer states are missing",
      { folder in for name in optim { try FileManager.default.removeItem(atPath: folder + "/" + name) } },
      .filesMissing(first: "zero_pp_rank_0_mp_rank_00_optim_states.pt", count: 2)
    ),
    (
      "tensor parallelism",
      {
        try FileManager.default.moveItem(
          atPath: $0 + "/" + model1, toPath: $0 + "/zero_pp_rank_1_mp_rank_01_model_states.pt")
      },
      .tensorParallel(file: "zero_pp_rank_1_mp_rank_01_model_states.pt")
    ),
    (
      "only one process's files, of two",
      { folder in
        try FileManager.default.removeItem(atPath: folder + "/" + model1)
        try FileManager.default.removeItem(atPath: folder + "/" + optim[1])
      }, .ranks(file: optim[0], expected: 2, found: 1)
    ),
    (
      "a model's state in an optimizer's place",
      { folder in
        try FileManager.default.removeItem(atPath: folder + "/" + optim[1])
        try FileManager.default.copyItem(atPath: folder + "/" + model1, toPath: folder + "/" + optim[1])
      }, .notState(file: optim[1], key: "optimizer_state_dict")
    ),
    (
      "an optimizer's state in a model's place",
      { folder in
        let first = folder + "/zero_pp_rank_0_mp_rank_00_model_states.pt"
        try FileManager.default.removeItem(atPath: first)
        try FileManager.default.copyItem(atPath: folder + "/" + optim[0], toPath: first)
      }, .notState(file: "zero_pp_rank_0_mp_rank_00_model_states.pt", key: "param_shapes")
    ),
  ]

  @Test(arguments: deepSpeed.indices) func refusesDeepSpeed(index: Int) throws {
    let (rule, change, expected) = Self.deepSpeed[index]
    let folder = try Self.copy(of: "deepspeed-3")
    let step = folder["global_step2"]
    try change(step)
    #expect(Self.error(folder.path) == .deepSpeed(path: step, expected), "\(rule)")
  }

  @Test func ofSeveralStepsTheLatestCounts() throws {
    let folder = try Self.copy(of: "deepspeed-2")
    try FileManager.default.copyItem(atPath: folder["global_step2"], toPath: folder["global_step1"])
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.folders == ["global_step2"])
    folder.write("../elsewhere", to: "latest")
    #expect(Self.error(folder.path) == .deepSpeed(path: folder.path, .badLatest(text: "../elsewhere")))
    try FileManager.default.removeItem(atPath: folder["latest"])
    #expect(
      Self.error(folder.path) == .deepSpeed(path: folder.path, .severalSteps(["global_step1", "global_step2"])))
  }

  @Test func weightsBesideATrainingStateCount() throws {
    let folder = try Self.copy(of: "deepspeed-2")
    folder.write(SafetensorsFile.bytes([("w", "U8", [1], [1])]), to: "model.safetensors")
    #expect(try Checkpoint(path: folder.path).entries.map(\.info.name) == ["w"])
  }

  // MARK: GGUF in parts

  @Test func partsOfASplitModelMustAllBeThereAndAgree() throws {
    let folder = try Self.copy(of: "gguf-split")
    #expect(try Checkpoint(path: folder.path).entries.count == 5)
    let names = (1...3).map { "model-0000\($0)-of-00003.gguf" }
    let second = folder.bytes(of: names[1])
    try FileManager.default.removeItem(atPath: folder[names[1]])
    #expect(Self.error(folder.path) == .shardMissing(path: folder.path, shard: names[1], missing: [names[1]]))
    folder.write(folder.bytes(of: names[0]), to: names[1])
    let repeated = Self.error(folder.path)
    #expect(repeated == .splitDiffers(path: folder[names[1]], key: "split.no", expected: 1, found: "0"))
    folder.write(second, to: names[1])
    for (name, renamed) in zip(names, (1...3).map { "model-0000\($0)-of-00004.gguf" }) {
      try FileManager.default.moveItem(atPath: folder[name], toPath: folder[renamed])
    }
    folder.write(second, to: "model-00004-of-00004.gguf")
    guard case .splitDiffers(_, "split.count", 4, "3") = Self.error(folder.path) else {
      Issue.record("another number of parts was accepted")
      return
    }
  }

  @Test func oneModelInTwoQuantizationsIsRefused() throws {
    let folder = TemporaryFolder()
    let bytes = [UInt8](FileManager.default.contents(atPath: FixtureTests.fixtures + "/gguf/types.gguf")!)
    folder.write(bytes, to: "model-Q4_0.gguf")
    folder.write(bytes, to: "model-Q8_0.gguf")
    guard case .tensorInTwoShards = Self.error(folder.path) else {
      Issue.record("the same tensors were taken from two files")
      return
    }
  }

  // MARK: Quantized safetensors

  static func rewritten(_ folder: TemporaryFolder, without dropped: String) throws {
    // The file's own tensors, whatever they are decoded to.
    let header = try SafetensorsHeader(file: ReadableFile(path: folder["model.safetensors"]))
    let file = try ReadableFile(path: folder["model.safetensors"])
    folder.write(
      SafetensorsFile.bytes(
        try header.entries.filter { $0.info.name.text != dropped }.map {
          (
            $0.info.name.text, $0.info.dtype.name, $0.info.shape,
            try file.bytes(at: $0.offset, count: $0.info.byteCount)
          )
        }), to: "model.safetensors")
  }

  static let parts: [(folder: String, part: String, tensor: String)] = [
    ("bitsandbytes", "nf4.float32.single.weight.absmax", "nf4.float32.single.weight"),
    ("bitsandbytes", "nf4.float32.single.weight.quant_map", "nf4.float32.single.weight"),
    ("bitsandbytes", "nf4.bfloat16.nested.weight.nested_absmax", "nf4.bfloat16.nested.weight"),
    ("bitsandbytes", "nf4.bfloat16.nested.weight.nested_quant_map", "nf4.bfloat16.nested.weight"),
    ("bitsandbytes", "int8.weight", "int8.weight"),
    ("compressed-tensors", "packed4.group.float32.symmetric.weight_scale", "packed4.group.float32.symmetric.weight"),
    ("compressed-tensors", "packed4.group.float32.symmetric.weight_shape", "packed4.group.float32.symmetric.weight"),
    ("mlx", "float32.bits4.group64.biases", ""),
  ]

  @Test(arguments: parts.indices) func aMissingPartIsNamed(index: Int) throws {
    let (name, part, tensor) = Self.parts[index]
    let folder = try Self.copy(of: name)
    try Self.rewritten(folder, without: part)
    let checkpoint = try Checkpoint(path: folder.path)
    if tensor.isEmpty {
      // Without biases, words and scales are just tensors.
      #expect(checkpoint.entries.contains { $0.info.dtype == .u32 })
    } else {
      // It closes only itself: what is left of it is carried, named, and no weight.
      #expect(checkpoint.notes.contains { $0.contains("'\(part)' is missing") })
      let left = checkpoint.entries.filter { $0.part != nil }
      #expect(!left.isEmpty && left.allSatisfy { $0.info.name.text.hasPrefix(String(tensor.dropLast("weight".count))) })
      #expect(checkpoint.entries.contains { $0.part == nil && $0.encoding != "plain" })
    }
  }

  @Test func throughAnIndexTheSameIsDecoded() throws {
    let folder = try Self.copy(of: "mlx")
    let header = try SafetensorsHeader(file: ReadableFile(path: folder["model.safetensors"]))
    let map = header.entries.map { "\"\($0.info.name.text)\":\"model.safetensors\"" }.joined(separator: ",")
    let index = folder.write("{\"weight_map\":{\(map)}}", to: "model.safetensors.index.json")
    let (byFolder, byIndex) = (try Checkpoint(path: folder.path), try Checkpoint(path: index))
    #expect(byIndex.entries.map(\.info) == byFolder.entries.map(\.info))
    #expect(!byIndex.entries.contains { $0.info.dtype == .u32 })
  }

  @Test func withoutTheirConfigMLXTensorsStayAsTheyAre() throws {
    let folder = try Self.copy(of: "mlx")
    try FileManager.default.removeItem(atPath: folder["config.json"])
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.entries.contains { $0.info.dtype == .u32 } && !checkpoint.notes.isEmpty)
    #expect(checkpoint.entries.filter { $0.info.dtype == .u32 }.allSatisfy { $0.part != nil })
  }

  @Test(arguments: [
    (#"{"quantization": {"group_size": 32, "bits": 8}}"#, "does not fit"),
    (#"{"quantization": {"group_size": 64, "bits": 7}}"#, "its bits cannot be told"),
  ]) func aConfigThatDoesNotFitTheShapesClosesTheTensors(config: String, reason: String) throws {
    let folder = try Self.copy(of: "mlx")
    folder.write(config, to: "config.json")
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.notes.contains { $0.contains(reason) })
    #expect(checkpoint.entries.filter { $0.info.dtype == .u32 }.allSatisfy { $0.part != nil })
  }

  // MARK: NumPy

  static func npy(_ header: String, data: Int = 24, version: UInt8 = 1) -> [UInt8] {
    let length = version == 1 ? little(UInt16(header.utf8.count)) : little(UInt32(header.utf8.count))
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + Array(header.utf8)
      + [UInt8](repeating: 0, count: data)
  }

  static let arrays: [(rule: String, bytes: [UInt8], error: NumPyError)] = [
    ("cut magic", [0x93] + Array("NUMPY".utf8), .badMagic),
    ("version 4", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", version: 4), .unknownVersion(4)),
    (
      "header past the end", [0x93] + Array("NUMPY".utf8) + [1, 0, 255, 255] + [0, 0], .headerPastEnd(claimed: 65_535)
    ),
    ("no dict", npy("[]"), .badHeader(offset: 0)),
    ("unknown key", npy("{'x': 1}"), .badHeader(offset: 1)),
    ("key twice", npy("{'descr': '<f4', 'descr': '<f4'}"), .badHeader(offset: 17)),
    ("no shape", npy("{'descr': '<f4', 'fortran_order': False, }"), .missingKey("shape")),
    ("no order", npy("{'descr': '<f4', 'shape': (6,), }"), .missingKey("fortran_order")),
    ("no dtype", npy("{'fortran_order': False, 'shape': (6,), }"), .missingKey("descr")),
    (
      "objects", npy("{'descr': '|O', 'fortran_order': False, 'shape': (6,), }"), .unknownDType(Array("|O".utf8))
    ),
    (
      "fields", npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }"),
      .unknownDType(Array("[...]".utf8))
    ),
    ("big-endian", npy("{'descr': '>f4', 'fortran_order': False, 'shape': (6,), }"), .bigEndian(Array(">f4".utf8))),
    ("code in the shape", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (exit(),), }"), .badShape),
    ("negative size", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-6,), }"), .badShape),
    (
      "size beyond 64 bits", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,), }"),
      .badShape
    ),
    (
      "product that overflows",
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }"), .badShape
    ),
    (
      "too little data", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }"),
      .sizeMismatch(expected: 28, found: 24)
    ),
    (
      "too much data", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }"),
      .sizeMismatch(expected: 20, found: 24)
    ),
    (
      "text behind the dict", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), } x"), .badHeader(offset: 57)
    ),
  ]

  @Test(arguments: arrays.indices) func refusesArrays(index: Int) {
    let (rule, bytes, expected) = Self.arrays[index]
    let folder = TemporaryFolder()
    let path = folder.write(bytes, to: "a.npy")
    let found = Self.error(path)
    guard case .numPy(path, let error) = found else {
      Issue.record("\(rule): \(String(describing: found))")
      return
    }
    #expect(error == expected, "\(rule)")
  }

  @Test func arraysWithoutNumbersArePassedOver() throws {
    let folder = TemporaryFolder()
    let text = Self.npy("{'descr': '<U5', 'fortran_order': False, 'shape': (), }", data: 20)
    let numbers = Self.npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }")
    let both = ZipFile([.init("prompt.npy", text), .init("noise.npy", numbers)]).bytes()
    let checkpoint = try Checkpoint(path: folder.write(both, to: "a.npz"))
    #expect(checkpoint.entries.map(\.info.name) == ["noise"])
    #expect(checkpoint.notes == ["passed over 'prompt': no plain numbers"])
    guard
      case .numPy(_, .unknownDType) = Self.error(
        folder.write(ZipFile([.init("prompt.npy", text)]).bytes(), to: "b.npz"))
    else {
      Issue.record("an archive without numbers was accepted")
      return
    }
  }

  // MARK: zstd

  @Test func damagedZstdIsRefused() throws {
    let sound = [UInt8](
      FileManager.default.contents(atPath: FixtureTests.fixtures + "/zstd/one-frame.safetensors.zst")!)
    let folder = TemporaryFolder()
    for (rule, bytes) in [
      ("cut", Array(sound.dropLast(10))), ("cut in the header", Array(sound.prefix(12))),
      ("bytes behind", sound + [1, 2, 3, 4, 5]),
      ("not safetensors", Array(sound.prefix(4)) + [0x20, 1, 9, 0, 0, 0x61]),
    ] {
      #expect(Self.error(folder.write(bytes, to: "a.safetensors.zst")) != nil, "\(rule)")
    }
    #expect(Self.error(folder.write(sound, to: "a.safetensors.zst")) == nil)
  }

  // MARK: Sets

  @Test func ofSeveralFormsSafetensorsAreTaken() throws {
    let folder = try Self.copy(of: "torch-sharded")
    folder.write(SafetensorsFile.bytes([("w", "U8", [1], [1])]), to: "model.safetensors")
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.entries.map(\.info.name) == ["w"])
    #expect(
      checkpoint.notes == [
        "passed over 'pytorch_model-00001-of-00002.bin' and 1 more: the folder holds weights in another form as well"
      ])
  }

  @Test func copiesOfOtherProgramsBelowSafetensorsArePassedOver() throws {
    let folder = TemporaryFolder()
    folder.write(SafetensorsFile.bytes([("w", "U8", [1], [1])]), to: "model.safetensors")
    folder.write([1, 2, 3, 4], to: "openvino/openvino_model.bin")
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.entries.map(\.info.name) == ["w"])
    #expect(checkpoint.notes == ["passed over 'openvino': weights in another form than those above it"])
  }

  @Test func stateOfTheTrainerIsNoWeights() throws {
    let folder = try Self.copy(of: "torch-sharded")
    let checkpoint = try Checkpoint(path: folder.path)
    #expect(checkpoint.formats == ["PyTorch zip"] && checkpoint.entries.count == 4)
  }
}
