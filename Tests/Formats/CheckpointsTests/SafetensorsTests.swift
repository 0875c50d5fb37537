import Checkpoints
import JSONText
import Tensors
import Testing
import TestSupport

private typealias ST = SafetensorsFile

private func header(_ bytes: [UInt8]) throws -> SafetensorsHeader {
  let folder = TemporaryFolder()
  return try SafetensorsHeader(file: ReadableFile(path: folder.write(bytes, to: "m.safetensors")))
}

private func length(_ value: UInt64, then rest: [UInt8] = []) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) } + rest
}

/// A header with one entry whose fields are given as text.
private func entry(_ fields: String, data: Int = 4) -> [UInt8] {
  ST.bytes(header: "{\"t\":{\(fields)}}", data: [UInt8](repeating: 0, count: data))
}

private let tooManyDimensions = Array(repeating: "1", count: Limits.rank + 1).joined(separator: ",")

@Suite struct SafetensorsTests {
  static let refused: [(rule: String, bytes: [UInt8], error: SafetensorsError)] = [
    ("empty file", [], .tooShort(byteCount: 0)),
    ("seven bytes", [0, 0, 0, 0, 0, 0, 0], .tooShort(byteCount: 7)),
    ("length of 2^64-1", length(.max), .headerTooLarge(claimed: .max)),
    ("length of 2^63", length(1 << 63), .headerTooLarge(claimed: 1 << 63)),
    (
      "length right in the low 32 bits only", length(1 << 32 | 2, then: Array("{}".utf8)),
      .headerTooLarge(claimed: 1 << 32 | 2)
    ),
    ("length one past the cap", length(100_000_001), .headerTooLarge(claimed: 100_000_001)),
    ("length at the cap without the bytes", length(100_000_000), .headerPastEnd(claimed: 100_000_000, available: 0)),
    ("length one past the end", length(3, then: Array("{}".utf8)), .headerPastEnd(claimed: 3, available: 2)),
    ("empty header", length(0), .headerEmpty),
    ("header of an array", ST.bytes(header: "[]"), .headerDoesNotStartWithBrace(found: 0x5B)),
    ("space before the header", ST.bytes(header: " {}"), .headerDoesNotStartWithBrace(found: 0x20)),
    ("byte order mark", ST.bytes(header: [0xEF, 0xBB, 0xBF, 0x7B, 0x7D]), .headerDoesNotStartWithBrace(found: 0xEF)),
    ("NUL padding", ST.bytes(header: [0x7B, 0x7D, 0]), .paddingNotSpaces(offset: 2)),
    ("text behind the header", ST.bytes(header: "{} x"), .paddingNotSpaces(offset: 3)),
    ("second value", ST.bytes(header: "{}{}"), .paddingNotSpaces(offset: 2)),
    ("malformed JSON", ST.bytes(header: "{\"t\"}"), .json(.unexpected(offset: 4, expected: "':'"))),
    (
      "name that is not UTF-8", ST.bytes(header: Array("{\"".utf8) + [0xFF] + Array("\":1}".utf8)),
      .json(.invalidUTF8(offset: 2))
    ),
    (
      "tensor twice",
      ST.bytes(header: "{" + ST.entry("a", "U8", [0], 0, 0) + "," + ST.entry("a", "U8", [0], 0, 0) + "}"),
      .json(.duplicateKey(key: [0x61], offset: 53))
    ),
    (
      "tensor twice through an escape",
      ST.bytes(header: "{" + ST.entry("a", "U8", [0], 0, 0) + "," + ST.entry("\\u0061", "U8", [0], 0, 0) + "}"),
      .json(.duplicateKey(key: [0x61], offset: 53))
    ),
    (
      "metadata twice", ST.bytes(header: #"{"__metadata__":{},"__metadata__":{}}"#),
      .json(.duplicateKey(key: Array("__metadata__".utf8), offset: 19))
    ),
    (
      "metadata key twice", ST.bytes(header: #"{"__metadata__":{"a":"1","a":"2"}}"#),
      .json(.duplicateKey(key: [0x61], offset: 25))
    ),
    (
      "metadata that is no object", ST.bytes(header: #"{"__metadata__":[]}"#),
      .json(.unexpected(offset: 16, expected: "an object '{'"))
    ),
    ("metadata that is no string", ST.bytes(header: #"{"__metadata__":{"a":1}}"#), .metadataNotStrings(key: [0x61])),
    ("entry that is no object", ST.bytes(header: #"{"t":1}"#), .entryNotObject(name: "t")),
    ("empty name", ST.bytes(header: "{" + ST.entry("", "U8", [0], 0, 0) + "}"), .nameEmpty),
    (
      "name too long", ST.bytes(header: "{" + ST.entry(String(repeating: "n", count: 65_536), "U8", [0], 0, 0) + "}"),
      .nameTooLong(byteCount: 65_536)
    ),
    ("no dtype", entry(#""shape":[4],"data_offsets":[0,4]"#), .missingField(name: "t", field: "dtype")),
    ("no shape", entry(#""dtype":"U8","data_offsets":[0,4]"#), .missingField(name: "t", field: "shape")),
    ("no offsets", entry(#""dtype":"U8","shape":[4]"#), .missingField(name: "t", field: "data_offsets")),
    (
      "unknown field", entry(#""dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1"#),
      .unknownField(name: "t", field: [0x78])
    ),
    (
      "field twice", entry(#""dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]"#),
      .json(.duplicateKey(key: Array("dtype".utf8), offset: 19))
    ),
    (
      "unknown dtype", entry(#""dtype":"F33","shape":[1],"data_offsets":[0,4]"#),
      .unknownDType(name: "t", dtype: Array("F33".utf8))
    ),
    (
      "dtype in lower case", entry(#""dtype":"f32","shape":[1],"data_offsets":[0,4]"#),
      .unknownDType(name: "t", dtype: Array("f32".utf8))
    ),
    (
      "dtype that is a number", entry(#""dtype":32,"shape":[1],"data_offsets":[0,4]"#),
      .json(.unexpected(offset: 14, expected: "a string"))
    ),
    ("shape that is no list", entry(#""dtype":"U8","shape":4,"data_offsets":[0,4]"#), .badShape(name: "t")),
    ("negative dimension", entry(#""dtype":"U8","shape":[-4],"data_offsets":[0,4]"#), .json(.notUnsigned(offset: 28))),
    (
      "fractional dimension", entry(#""dtype":"U8","shape":[4.0],"data_offsets":[0,4]"#),
      .json(.notUnsigned(offset: 28))
    ),
    (
      "dimension with an exponent", entry(#""dtype":"U8","shape":[4e0],"data_offsets":[0,4]"#),
      .json(.notUnsigned(offset: 28))
    ),
    (
      "dimension with a leading zero", entry(#""dtype":"U8","shape":[04],"data_offsets":[0,4]"#),
      .json(.badNumber(offset: 28, rule: "it has a leading zero"))
    ),
    (
      "dimension of 2^63", entry(#""dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]"#),
      .json(.notUnsigned(offset: 28))
    ),
    (
      "dimension that is true", entry(#""dtype":"U8","shape":[true],"data_offsets":[0,4]"#),
      .json(.unexpected(offset: 28, expected: "a number"))
    ),
    (
      "nested shape", entry(#""dtype":"U8","shape":[[4]],"data_offsets":[0,4]"#),
      .json(.unexpected(offset: 28, expected: "a number"))
    ),
    (
      "rank 65", entry("\"dtype\":\"U8\",\"shape\":[\(tooManyDimensions)],\"data_offsets\":[0,1]"),
      .rankTooLarge(name: "t")
    ),
    (
      "product overflows", entry(#""dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]"#),
      .sizeOverflow(name: "t", shape: [1 << 32, 1 << 32])
    ),
    (
      "bytes overflow", entry(#""dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,4]"#),
      .sizeOverflow(name: "t", shape: [1 << 61])
    ),
    (
      "zero times overflow", entry(#""dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0]"#, data: 0),
      .sizeOverflow(name: "t", shape: [0, 1 << 32, 1 << 32])
    ),
    (
      "odd count of 4-bit elements", entry(#""dtype":"F4","shape":[3],"data_offsets":[0,2]"#, data: 2),
      .partialByte(name: "t", dtype: .f4)
    ),
    (
      "6-bit elements that leave bits over", entry(#""dtype":"F6_E3M2","shape":[5],"data_offsets":[0,4]"#),
      .partialByte(name: "t", dtype: .f6E3M2)
    ),
    ("one offset", entry(#""dtype":"U8","shape":[4],"data_offsets":[0]"#), .offsetsNotPair(name: "t", count: 1)),
    ("three offsets", entry(#""dtype":"U8","shape":[4],"data_offsets":[0,4,4]"#), .offsetsNotPair(name: "t", count: 3)),
    (
      "offsets that are no list", entry(#""dtype":"U8","shape":[4],"data_offsets":4"#),
      .offsetsNotPair(name: "t", count: 0)
    ),
    (
      "reversed range", entry(#""dtype":"U8","shape":[4],"data_offsets":[4,0]"#),
      .reversedRange(name: "t", begin: 4, end: 0)
    ),
    (
      "range too short", entry(#""dtype":"F32","shape":[2],"data_offsets":[0,4]"#),
      .sizeMismatch(name: "t", expected: 8, found: 4)
    ),
    (
      "range too long", entry(#""dtype":"U8","shape":[3],"data_offsets":[0,4]"#),
      .sizeMismatch(name: "t", expected: 3, found: 4)
    ),
    (
      "overlap",
      ST.bytes(
        header: "{" + ST.entry("a", "U8", [4], 0, 4) + "," + ST.entry("b", "U8", [4], 2, 6) + "}",
        data: [0, 0, 0, 0, 0, 0]),
      .overlap(name: "b", other: "a")
    ),
    (
      "same range twice",
      ST.bytes(
        header: "{" + ST.entry("a", "U8", [4], 0, 4) + "," + ST.entry("b", "U8", [4], 0, 4) + "}", data: [0, 0, 0, 0]),
      .overlap(name: "b", other: "a")
    ),
    ("hole at the start", entry(#""dtype":"U8","shape":[2],"data_offsets":[2,4]"#), .hole(before: "t", from: 0, to: 2)),
    (
      "hole between",
      ST.bytes(
        header: "{" + ST.entry("a", "U8", [1], 0, 1) + "," + ST.entry("b", "U8", [1], 2, 3) + "}", data: [0, 0, 0]),
      .hole(before: "b", from: 1, to: 2)
    ),
    (
      "past the end", entry(#""dtype":"U8","shape":[5],"data_offsets":[0,5]"#),
      .pastEnd(name: "t", end: 5, available: 4)
    ),
    (
      "cut by one byte", entry(#""dtype":"U8","shape":[4],"data_offsets":[0,4]"#, data: 3),
      .pastEnd(name: "t", end: 4, available: 3)
    ),
    ("trailing byte", entry(#""dtype":"U8","shape":[4],"data_offsets":[0,4]"#, data: 5), .trailingBytes(count: 1)),
    ("data without a tensor", ST.bytes(header: "{}", data: [1]), .trailingBytes(count: 1)),
    (
      "deep metadata", ST.bytes(header: #"{"__metadata__":{"a":[[[["# + String(repeating: "[", count: 100)),
      .metadataNotStrings(key: [0x61])
    ),
  ]

  @Test(arguments: refused.indices) func refusesEachBrokenRule(index: Int) {
    let (rule, bytes, error) = Self.refused[index]
    #expect(throws: error, "\(rule)") { try header(bytes) }
  }

  @Test func acceptsWhatIsUnusualAndValid() throws {
    // Rank 0, a dimension of 0, header order other than data order, padding, odd addresses, names beyond ASCII that
    // differ in normalisation and case only.
    let text =
      "{"
      + [
        ST.entry("b", "F32", [], 1, 5), ST.entry("a", "U8", [1], 0, 1), ST.entry("empty", "F64", [3, 0, 2], 5, 5),
        ST.entry("e\u{301}", "U8", [1], 5, 6), ST.entry("\u{E9}", "U8", [1], 6, 7),
        ST.entry("E\u{301}", "U8", [1], 7, 8),
      ].joined(separator: ",") + ",\"__metadata__\":{\"format\":\"pt\"}}     "
    let header = try header(ST.bytes(header: text, data: Array(0..<8)))
    #expect(header.entries.map(\.info.name.text) == ["a", "b", "empty", "e\u{301}", "\u{E9}", "E\u{301}"])
    #expect(header.entries.map { $0.offset - header.dataOffset } == [0, 1, 5, 5, 6, 7])
    #expect(header.entries[2].info.byteCount == 0)
    #expect(header.metadata.count == 1)
  }

  @Test(arguments: DType.allCases) func everyDTypeIsCarried(dtype: DType) throws {
    let bytes = [UInt8](repeating: 7, count: dtype.bitWidth)  // eight elements
    let header = try header(ST.bytes([("t", dtype.name, [8], bytes)]))
    #expect(header.entries[0].info.dtype == dtype)
    #expect(header.entries[0].info.byteCount == bytes.count)
  }

  @Test func rankAtTheLimitIsRead() throws {
    #expect(
      try header(ST.bytes([("t", "U8", Array(repeating: 1, count: Limits.rank), [1])])).entries[0].info.shape.count
        == 64)
    let name = String(repeating: "n", count: Limits.nameByteCount)
    #expect(try header(ST.bytes([(name, "U8", [1], [1])])).entries[0].info.name.utf8.count == 65_535)
  }

  @Test func aTruncationAtEveryByteIsRefused() {
    let whole = ST.bytes([
      ("first", "F32", [2], [UInt8](repeating: 1, count: 8)), ("second", "BF16", [3], [UInt8](repeating: 2, count: 6)),
    ])
    for count in 0..<whole.count { #expect(throws: SafetensorsError.self) { try header(Array(whole.prefix(count))) } }
    #expect(throws: Never.self) { try header(whole) }
  }

  @Test func tenThousandMutantsDoNoHarm() {
    var generator = SeededGenerator(7)
    let whole = ST.bytes([
      ("first", "F32", [2], [UInt8](repeating: 1, count: 8)), ("second", "BF16", [3], [UInt8](repeating: 2, count: 6)),
    ])
    let json = Array(whole[8..<(whole.count - 14)])
    for _ in 0..<10_000 {
      if let header = try? SafetensorsHeader(json: generator.mutant(of: json), dataByteCount: 14) {
        #expect(header.entries.reduce(0) { $0 + $1.info.byteCount } == 14)
      }
    }
  }

  @Test func aWrittenHeaderIsAlignedAndReadsBack() throws {
    let infos = [
      TensorInfo(name: "w", dtype: .f32, shape: [3])!, TensorInfo(name: "é\"\\", dtype: .bf16, shape: [2, 2])!,
      TensorInfo(name: "s", dtype: .u8, shape: [])!,
    ]
    let layout = SafetensorsLayout(infos)
    #expect(layout.header.count % 64 == 0)
    let data = [UInt8](repeating: 0, count: layout.fileByteCount - layout.header.count)
    let header = try header(layout.header + data)
    #expect(header.entries.map(\.info) == infos)
    #expect(header.entries.map(\.offset) == layout.offsets)
  }
}
