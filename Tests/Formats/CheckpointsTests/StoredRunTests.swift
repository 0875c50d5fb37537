import Checkpoints
import Tensors
import TestSupport
import Testing

/// Where the bytes of a tensor lie: in the file, in its storage, in its blocks.
@Suite struct StoredRunTests {
  private static func entry(_ name: String, _ path: String) throws -> (Checkpoint.Entry, Checkpoint) {
    let checkpoint = try Checkpoint(path: FixtureTests.fixtures + "/" + path)
    return (try #require(checkpoint.entries.first { $0.info.name == TensorName(name) }), checkpoint)
  }

  @Test(arguments: FixtureTests.cases.map(\.path)) func runsAreInTheirFilesAndAsLargeAsIsSaid(path: String) throws {
    let (source, folder) = try FixtureTests.source(path)
    let checkpoint = try Checkpoint(path: source)
    for entry in checkpoint.entries {
      #expect(entry.stored.reduce(0) { $0 + $1.byteCount } == entry.storedByteCount, "\(entry.info.name)")
      for run in entry.stored {
        let end = run.offset + run.byteCount
        #expect(run.offset >= 0 && end <= checkpoint.files[run.fileIndex].source.byteCount, "\(entry.info.name)")
        var bytes = [UInt8](repeating: 0, count: run.byteCount)
        try bytes.withUnsafeMutableBytes { try checkpoint.read(run, at: 0, into: $0) }
        if case .plain = entry.content { #expect(bytes == (try FixtureTests.bytes(entry, checkpoint))) }
      }
    }
    _ = folder
  }

  /// `(v.stride(), v.storage_offset())` of what torch.load gives of these files, with PyTorch 2.13.
  private static let strides: [(name: String, steps: [Int], offset: Int, isContiguous: Bool)] = [
    ("plain", [8, 1], 0, true), ("transposed", [1, 8], 0, false), ("cut", [8, 1], 10, false),
    ("every second", [8, 2], 0, false), ("row", [1], 24, true), ("column", [8], 3, false),
    ("expanded", [1, 0], 0, false), ("permuted", [1, 12, 4], 0, false), ("scalar", [], 0, true),
    ("empty", [3, 1], 0, true), ("parameter", [3, 1], 0, true), ("float16", [3, 1], 0, true),
    ("float8 transposed", [1, 3], 0, false), ("complex64", [1], 0, true),
  ]

  @Test(arguments: ["plain.bin", "protocol1.pt", "protocol4.pt", "before-zip.pth", "before-zip-protocol4.pth"])
  func stridesAreThoseOfPyTorch(file: String) throws {
    for (name, steps, offset, isContiguous) in Self.strides {
      let (entry, _) = try Self.entry(name, "torch/" + file)
      guard entry.stored.count == 1, case .view(let view) = entry.stored[0].form else {
        Issue.record("\(name) is no view")
        continue
      }
      #expect(view.strides.steps == steps && view.strides.shape == entry.info.shape, "\(name)")
      #expect(view.storageOffset == offset && view.strides.isContiguous == isContiguous, "\(name)")
      #expect(view.dtype == entry.info.dtype)
    }
  }

  /// The values of a tensor, gathered out of its storage by the strides alone.
  @Test(arguments: ["torch/plain.bin", "torch/before-zip.pth", "numpy/fortran.npy", "torch/one-tensor.pt"])
  func stridesLeadToTheValues(path: String) throws {
    let checkpoint = try Checkpoint(path: FixtureTests.fixtures + "/" + path)
    for entry in checkpoint.entries {
      guard case .view(let view)? = entry.stored.first?.form else { continue }
      let width = view.dtype.bitWidth / 8
      var gathered: [UInt8] = []
      for element in 0..<entry.info.elementCount {
        var (place, rest) = (view.storageOffset, element)
        for (size, step) in zip(view.strides.shape, view.strides.steps).reversed() {
          place += rest % size * step
          rest /= size
        }
        gathered += try checkpoint.files[0].source.bytes(at: view.storage.lowerBound + place * width, count: width)
      }
      #expect(gathered == (try FixtureTests.bytes(entry, checkpoint)), "\(entry.info.name)")
    }
  }

  /// Shapes, types and sizes as gguf-py's reader gives them.
  @Test func blocksAreThoseOfTheFile() throws {
    let expected: [(name: String, offset: Int, byteCount: Int, rows: Int, across: Int, elements: Int, bytes: Int)] = [
      ("Q4_K", 20992, 1296, 3, 3, 256, 144), ("Q8_0", 16768, 2448, 3, 24, 32, 34),
      ("MXFP4", 28384, 1224, 3, 24, 32, 17),
      ("IQ3_S", 29792, 220, 2, 1, 256, 110), ("Q8_K", 30144, 584, 2, 1, 256, 292), ("f16", 30816, 30, 3, 5, 1, 2),
      ("four", 31456, 480, 24, 5, 1, 4),
    ]
    for (name, offset, byteCount, rows, across, elements, bytes) in expected {
      let (entry, _) = try Self.entry(name, "gguf/types.gguf")
      let run = try #require(entry.stored.first)
      #expect(run.offset == offset && run.byteCount == byteCount && entry.stored.count == 1, "\(name)")
      guard case .blocks(let blocks) = run.form else {
        Issue.record("\(name) has no blocks")
        continue
      }
      #expect(blocks.rows == rows && blocks.blocksPerRow == across, "\(name)")
      #expect(blocks.elementsPerBlock == elements && blocks.bytesPerBlock == bytes, "\(name)")
      #expect(blocks.bytesPerRow * rows == byteCount, "\(name)")
    }
  }

  @Test func partsComeInTheOrderOfTheirNames() throws {
    let names = { (entry: Checkpoint.Entry) in entry.stored.map(\.name.text) }
    let mlx = try Self.entry("float16.bits4.group32.weight", "mlx/model.safetensors").0
    let stem = "float16.bits4.group32"
    #expect(names(mlx) == ["\(stem).biases", "\(stem).scales", "\(stem).weight"])
    #expect(mlx.stored.map(\.typeName) == ["F16", "F16", "U32"])
    let nested = try Self.entry("nf4.float16.nested.weight", "bitsandbytes/model.safetensors").0
    let weight = "nf4.float16.nested.weight"
    #expect(
      names(nested)
        == [
          weight, "\(weight).absmax", "\(weight).nested_absmax", "\(weight).nested_quant_map", "\(weight).quant_map",
          "\(weight).quant_state.bitsandbytes__nf4",
        ])
  }

  @Test func partitionsAreInTheFilesOfTheirProcesses() throws {
    let (entry, checkpoint) = try Self.entry("frozen.weight", "deepspeed-3/global_step2")
    #expect(
      entry.stored.map { checkpoint.files[$0.fileIndex].relativePath }
        == (0..<2).map {
          "zero_pp_rank_\($0)_mp_rank_00_model_states.pt"
        })
    // Nine elements in two parts of five.
    #expect(entry.stored.map(\.byteCount) == [5, 5].map { $0 * entry.info.dtype.bitWidth / 8 })
  }
}
