import GGUF
import Tensors
import Testing
import TestSupport

/// One file for each rule that is broken, with the error that it must give.
@Suite struct GGUFHostileTests {
  typealias Rule = (rule: String, bytes: [UInt8], error: String)

  static func file(_ change: (inout GGUFFile) -> Void) -> [UInt8] {
    var file = GGUFFile()
    file.metadata = [GGUFFile.pair("general.architecture", 8, GGUFFile.text("x".utf8))]
    file.tensors = [.init("a", [4, 2], byteCount: 32), .init("b", [256], type: 12, byteCount: 144)]
    change(&file)
    return file.bytes()
  }

  /// A file with one more metadata value.
  static func value(_ type: UInt32, _ bytes: [UInt8], key: String = "k") -> [UInt8] {
    file { $0.metadata.append(GGUFFile.pair(key, type, bytes)) }
  }

  static func tensor(_ change: (inout GGUFFile.Tensor) -> Void) -> [UInt8] { file { change(&$0.tensors[1]) } }

  static func strings(_ count: UInt64) -> [UInt8] { little(UInt32(8)) + little(count) }

  static let header: [Rule] = [
    ("empty", [], "badMagic"),
    ("another magic", file { $0.magic = Array("GGUX".utf8) }, "badMagic"),
    ("magic alone", Array("GGUF".utf8), "truncated"),
    ("cut in the counts", Array(file { _ in }.prefix(20)), "truncated"),
    ("version 0", file { $0.version = 0 }, "unknownVersion"),
    ("version 1", file { $0.version = 1 }, "unknownVersion"),
    ("version 4", file { $0.version = 4 }, "unknownVersion"),
    ("version 2^32 - 1", file { $0.version = .max }, "unknownVersion"),
    ("big-endian 3", file { $0.version = 3 << 24 }, "bigEndian"),
    ("big-endian 2", file { $0.version = 2 << 24 }, "bigEndian"),
    ("more keys than bytes", file { $0.keyCount = 1000 }, "tooManyKeys"),
    ("2^63 keys", file { $0.keyCount = 1 << 63 }, "tooManyKeys"),
    ("2^64 - 1 keys", file { $0.keyCount = .max }, "tooManyKeys"),
    ("more tensors than bytes", file { $0.tensorCount = 1000 }, "tooManyTensors"),
    ("2^63 tensors", file { $0.tensorCount = 1 << 63 }, "tooManyTensors"),
    ("2^64 - 1 tensors", file { $0.tensorCount = .max }, "tooManyTensors"),
    ("one key more than there are", file { $0.keyCount = 2 }, "badTensorName"),
    ("one tensor more than there are", file { $0.tensorCount = 3 }, "badTensorName"),
  ]

  static let metadata: [Rule] = [
    ("empty key", value(4, little(UInt32(1)), key: ""), "badKey"),
    ("key of 2^64 - 1 bytes", file { $0.metadata.append(little(UInt64.max) + [0, 0, 0, 0, 0, 0, 0, 0]) }, "badKey"),
    ("key over the limit", value(4, little(UInt32(1)), key: String(repeating: "k", count: 65_536)), "badKey"),
    (
      "key past the end", file { $0.metadata.append(little(UInt64(60_000)) + [UInt8](repeating: 0x61, count: 10)) },
      "truncated"
    ),
    ("key that is not UTF-8", file { $0.metadata.append(GGUFFile.text([0xFF]) + little(UInt32(0)) + [1]) }, "badKey"),
    ("key twice", value(4, little(UInt32(1)), key: "general.architecture"), "keyTwice"),
    ("type 13", value(13, little(UInt32(1))), "unknownValueType"),
    ("type 2^32 - 1", value(.max, little(UInt32(1))), "unknownValueType"),
    ("2 as a bool", value(7, [2]), "badBool"),
    ("255 as a bool", value(7, [255]), "badBool"),
    ("2 as a bool in an array", value(9, little(UInt32(7)) + little(UInt64(2)) + [0, 2]), "badBool"),
    ("string past the end", value(8, little(UInt64(100_000))), "stringTooLong"),
    ("string of 2^63", value(8, little(UInt64(1) << 63)), "stringTooLong"),
    ("string of 2^64 - 1", value(8, little(UInt64.max)), "stringTooLong"),
    ("string right in the low 32 bits", value(8, little(UInt64(1) << 32 | 1) + [0x61]), "stringTooLong"),
    ("string that is not UTF-8", value(8, GGUFFile.text([0xC0, 0x80])), "textNotUTF8"),
    ("array of type 13", value(9, little(UInt32(13)) + little(UInt64(0))), "unknownValueType"),
    ("array of arrays", value(9, little(UInt32(9)) + little(UInt64(1)) + strings(0)), "nestedArray"),
    ("empty array of arrays", value(9, little(UInt32(9)) + little(UInt64(0))), "nestedArray"),
    ("array past the end", value(9, little(UInt32(4)) + little(UInt64(100_000))), "arrayTooLong"),
    ("array of 2^63", value(9, little(UInt32(0)) + little(UInt64(1) << 63)), "arrayTooLong"),
    ("array of 2^62 words", value(9, little(UInt32(4)) + little(UInt64(1) << 62)), "arrayTooLong"),
    ("array of 2^64 - 1", value(9, little(UInt32(12)) + little(UInt64.max)), "arrayTooLong"),
    ("strings past the end", value(9, strings(100_000)), "arrayTooLong"),
    ("first string of an array past the end", value(9, strings(1) + little(UInt64(1) << 40)), "stringTooLong"),
    (
      "sixth string of an array past the end",
      value(9, strings(6) + (0..<5).flatMap { _ in GGUFFile.text("a".utf8) } + little(UInt64.max)), "stringTooLong"
    ),
    ("alignment 0", value(4, little(UInt32(0)), key: "general.alignment"), "badAlignment"),
    ("alignment 24", value(4, little(UInt32(24)), key: "general.alignment"), "badAlignment"),
    ("alignment 4", value(4, little(UInt32(4)), key: "general.alignment"), "badAlignment"),
    ("alignment 2^21", value(4, little(UInt32(1 << 21)), key: "general.alignment"), "badAlignment"),
    ("alignment below 0", value(5, little(Int32(-32)), key: "general.alignment"), "badAlignment"),
    ("alignment as text", value(8, GGUFFile.text("32".utf8), key: "general.alignment"), "badAlignment"),
  ]

  static let tensors: [Rule] = [
    ("empty name", tensor { $0.name = [] }, "badTensorName"),
    ("name that is not UTF-8", tensor { $0.name = [0xFF] }, "badTensorName"),
    ("name over the limit", tensor { $0.name = [UInt8](repeating: 0x61, count: 65_536) }, "badTensorName"),
    ("name twice", tensor { $0.name = [0x61] }, "tensorTwice"),
    ("5 dimensions", tensor { $0.dimensions = [32, 1, 1, 1, 1] }, "rankTooLarge"),
    ("2^32 - 1 dimensions", tensor { $0.rank = .max }, "rankTooLarge"),
    ("dimension of 2^63", tensor { $0.dimensions = [1 << 63] }, "sizeOverflow"),
    ("dimension of 2^64 - 1", tensor { $0.dimensions = [.max] }, "sizeOverflow"),
    ("product that overflows", tensor { $0.dimensions = [1 << 32, 1 << 32] }, "sizeOverflow"),
    ("product that wraps to little", tensor { $0.dimensions = [1 << 40, 1 << 20, 1 << 4] }, "sizeOverflow"),
    ("zero times what overflows", tensor { $0.dimensions = [1 << 62, 1 << 62, 0] }, "sizeOverflow"),
    ("bytes that overflow", tensor { $0.dimensions = [1 << 61] }, "sizeOverflow"),
    ("type 4, which was removed", tensor { $0.type = 4 }, "unknownType"),
    ("type 5, which was removed", tensor { $0.type = 5 }, "unknownType"),
    ("type 36, which was removed", tensor { $0.type = 36 }, "unknownType"),
    ("type 42", tensor { $0.type = 42 }, "unknownType"),
    ("type 2^32 - 1", tensor { $0.type = .max }, "unknownType"),
    ("row of 255 in blocks of 256", tensor { $0.dimensions = [255] }, "partialBlock"),
    ("rows of 128 in blocks of 256", tensor { $0.dimensions = [128, 2] }, "partialBlock"),
    ("scalar in blocks", tensor { $0.dimensions = [] }, "partialBlock"),
    ("offset 33", tensor { $0.offset = 33 }, "unaligned"),
    ("offset 2^64 - 1", tensor { $0.offset = .max }, "unaligned"),
    ("offset past the end", tensor { $0.offset = 1 << 20 }, "outside"),
    ("offset of 2^63", tensor { $0.offset = 1 << 63 }, "outside"),
    ("end that wraps", tensor { $0.offset = .max - 31 }, "outside"),
    ("one byte too large", tensor { $0.dimensions = [512] }, "outside"),
    ("overlap", tensor { $0.offset = 0 }, "overlap"),
    (
      "overlap by one block",
      file {
        $0.tensors = [.init("a", [16], byteCount: 64), .init("b", [8], offset: 32, byteCount: 32)]
      }, "overlap"
    ),
    (
      "hole",
      file {
        $0.tensors[1].offset = 64; $0.dataByteCount = 224
      }, "hole"
    ),
    (
      "hole at the start",
      file {
        $0.tensors = [.init("a", [8], offset: 32, byteCount: 32)]; $0.dataByteCount = 64
      }, "hole"
    ),
    ("bytes behind the data", file { $0.behind = [UInt8](repeating: 0, count: 32) }, "trailingBytes"),
    ("data cut by one byte", file { $0.dataByteCount = 32 + 143 }, "outside"),
    ("data cut in half", file { $0.dataByteCount = 90 }, "outside"),
    ("no data", file { $0.dataByteCount = 0 }, "outside"),
  ]

  @Test(arguments: header.indices) func refusesHeader(index: Int) throws { try Self.check(Self.header[index]) }
  @Test(arguments: metadata.indices) func refusesMetadata(index: Int) throws { try Self.check(Self.metadata[index]) }
  @Test(arguments: tensors.indices) func refusesTensor(index: Int) throws { try Self.check(Self.tensors[index]) }

  static func check(_ item: Rule) throws {
    HostileFiles.keep(item.bytes, rule: item.rule, ending: "gguf")
    let folder = TemporaryFolder()
    let file = try ReadableFile(path: folder.write(item.bytes, to: "a.gguf"))
    do {
      _ = try GGUFHeader(file)
      Issue.record("\(item.rule): accepted")
    } catch { #expect(caseName(error) == item.error, "\(item.rule): \(error)") }
  }

  @Test func everyPrefixIsRefused() throws {
    let whole = Self.file { _ in }
    let folder = TemporaryFolder()
    // The last tensor's padding may be missing.
    for count in 0..<whole.count - 16 {
      let file = try ReadableFile(path: folder.write(Array(whole[..<count]), to: "a.gguf"))
      #expect(throws: GGUFError.self) { try GGUFHeader(file) }
    }
  }

  @Test func readsWhatIsSound() throws {
    let folder = TemporaryFolder()
    func open(_ bytes: [UInt8]) throws -> GGUFHeader {
      try GGUFHeader(ReadableFile(path: folder.write(bytes, to: "a.gguf")))
    }
    let plain = try open(Self.file { _ in })
    #expect(plain.tensors.map(\.shape) == [[2, 4], [256]] && plain.tensors.map(\.type) == [.f32, .q4K])
    #expect(try open(Self.file { $0.tensors = [] }).tensors.isEmpty)
    #expect(
      try open(
        Self.file {
          $0.tensors[0].dimensions = []; $0.tensors[0].byteCount = 4
        }
      ).tensors[0].shape == [])
    #expect(
      try open(
        Self.file {
          $0.tensors[0].dimensions = [0, 3]; $0.tensors[0].byteCount = 0
        }
      ).tensors.count == 2)
    let wide = try open(
      Self.file {
        $0.metadata.append(GGUFFile.pair("general.alignment", 4, little(UInt32(64))))
        $0.alignment = 64
      })
    #expect(wide.tensors.allSatisfy { $0.offset % 64 == 0 })
    let long = try open(Self.value(8, GGUFFile.text([UInt8](repeating: 0x61, count: 70_000))))
    #expect(long["k"] == .longString(byteCount: 70_000, offset: 24 + 8 + 20 + 4 + 9 + 8 + 1 + 4 + 8))
  }
}
