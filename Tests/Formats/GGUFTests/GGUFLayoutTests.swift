import GGUF
import Tensors
import Testing
import TestSupport

/// What is planned is what the reader finds.
@Suite struct GGUFLayoutTests {
  private func read(_ layout: GGUFLayout) throws -> GGUFHeader {
    let folder = TemporaryFolder()
    let data = [UInt8](repeating: 0, count: layout.fileByteCount - layout.header.count)
    return try GGUFHeader(ReadableFile(path: folder.write(layout.header + data, to: "m.gguf")))
  }

  @Test func headersReadBack() throws {
    let metadata = [
      GGUFPair("a.uint32", uint32: .max), GGUFPair("a.float32", float32: 1e-6), GGUFPair("a.bool", bool: true),
      GGUFPair("a.string", string: Array("päck ☃".utf8)), GGUFPair("a.int32s", int32s: [-1, 2, .min]),
      GGUFPair("a.strings", strings: [[0x61], [], Array("ö".utf8)]),
    ]
    let tensors: [GGUFLayout.Tensor] = [
      .init(name: "m", type: .q4_0, shape: [3, 64]), .init(name: "v", type: .f32, shape: [5]),
      .init(name: "k", type: .q4K, shape: [2, 256]), .init(name: "e", type: .f16, shape: [0, 4]),
      .init(name: "b", type: .bf16, shape: [2, 3, 5, 7]),
    ]
    let layout = try GGUFLayout(metadata, tensors)
    #expect(layout.header.count % 32 == 0 && layout.fileByteCount % 32 == 0)
    let header = try read(layout)
    #expect(header.version == 3)
    #expect(header["a.uint32"] == .unsigned(UInt64(UInt32.max)) && header["a.bool"] == .bool(true))
    #expect(header["a.float32"] == .float(Double(Float(1e-6))) && header["a.string"]?.text == "päck ☃")
    guard case .array(.int32, 3, [.signed(-1), .signed(2), .signed(-2_147_483_648)], _)? = header["a.int32s"],
      case .array(.string, 3, [.string([0x61]), .string([]), .string([0xC3, 0xB6])], _)? = header["a.strings"]
    else {
      Issue.record("arrays differ")
      return
    }
    #expect(header["general.alignment"]?.int == 32)
    for (tensor, place) in zip(tensors, layout.places) {
      let found = try #require(header.tensors.first { $0.name == tensor.name })
      #expect(found.type == tensor.type && found.shape == tensor.shape)
      #expect(found.offset == place.offset && found.byteCount == place.byteCount && found.offset % 32 == 0)
    }
  }

  @Test func pairsAreCopiedAsTheyStand() throws {
    let layout = try GGUFLayout([GGUFPair("x", strings: [[1], [2, 3]])], [])
    let datum = try #require(try read(layout).metadata.first)
    let pair = GGUFPair(key: datum.key, copying: Array(layout.header[datum.range]))
    #expect(pair == GGUFPair("x", strings: [[1], [2, 3]]))
  }

  static let wrong: [(tensors: [GGUFLayout.Tensor], error: String)] = [
    ([.init(name: "a", type: .f32, shape: [1]), .init(name: "a", type: .f32, shape: [1])], "tensorTwice"),
    ([.init(name: TensorName(String(repeating: "n", count: 64)), type: .f32, shape: [1])], "nameTooLong"),
    ([.init(name: "a", type: .f32, shape: [1, 1, 1, 1, 1])], "rankTooLarge"),
    ([.init(name: "a", type: .q8_0, shape: [4, 33])], "partialBlock"),
    ([.init(name: "a", type: .f32, shape: [.max, 2])], "sizeOverflow"),
    ([.init(name: "a", type: .f32, shape: [-1])], "sizeOverflow"),
    ([.init(name: "a", type: .f32, shape: [1 << 55])], "sizeOverflow"),
  ]

  @Test(arguments: wrong.indices) func refusesWhatReadersRefuse(index: Int) {
    #expect { try GGUFLayout([], Self.wrong[index].tensors) } throws: { caseName($0) == Self.wrong[index].error }
  }

  @Test func namesAtTheLimitAreTaken() throws {
    _ = try GGUFLayout([], [.init(name: TensorName(String(repeating: "n", count: 63)), type: .f32, shape: [1])])
  }

  @Test func keysThatOccurTwiceAreRefused() {
    for key in ["k", "general.alignment"] {
      let pairs = [GGUFPair("k", bool: true), GGUFPair(key, bool: true)]
      #expect(throws: GGUFError.keyTwice(key: Array(key.utf8))) { try GGUFLayout(pairs, []) }
    }
  }

  @Test func countsOverTheLimitAreRefused() {
    let pairs = (0..<Limits.ggufKeyCount).map { GGUFPair("\($0)", bool: true) }
    #expect { try GGUFLayout(pairs, []) } throws: { caseName($0) == "tooManyKeys" }
    let tensors = (0...Limits.ggufTensorCount).map {
      GGUFLayout.Tensor(name: TensorName("\($0)"), type: .f32, shape: [])
    }
    #expect { try GGUFLayout([], tensors) } throws: { caseName($0) == "tooManyTensors" }
  }
}
