import Encodings
import Foundation
import JSONText
import Kernels
import Tensors
import Testing
import TestSupport

@testable import BantamArchive

/// Files whose checksums and digests are right and whose content is not: what an attacker would write.
@Suite struct ArchiveHostileTests {
  /// A change to a superblock page, its checksum made right again.
  private static func page(_ change: (inout [UInt8]) -> Void, of bytes: [UInt8]) -> [UInt8] {
    var page = Array(bytes[0..<4092])
    change(&page)
    page = Array(page.prefix(4092))
    page += withUnsafeBytes(of: CRC32C.of(page).littleEndian) { Array($0) }
    return page + page + bytes[8192...]
  }

  private static func put(_ value: some FixedWidthInteger, at offset: Int, in bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
  }

  private static func put(_ text: String, at offset: Int, in bytes: inout [UInt8]) {
    bytes.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
  }

  private func error(of bytes: [UInt8]) -> ArchiveError? {
    let folder = TemporaryFolder()
    folder.write(bytes, to: "f.bantam")
    if bytes.count > 1 << 20 { HostileFiles.keep(bytes, rule: "archive of \(bytes.count) bytes", ending: "bantam") }
    do {
      _ = try Archive(path: folder["f.bantam"])
      return nil
    } catch { return error }
  }

  /// The name of an error's case.
  private func caseName(_ error: ArchiveError?) -> String {
    error.map { TestSupport.caseName($0) } ?? "accepted"
  }

  // MARK: Superblocks

  private static let superblockRules: [(rule: String, expected: String, change: @Sendable (inout [UInt8]) -> Void)] = [
    ("big-endian", "bigEndian", { put(UInt32(0x0403_0201), at: 8, in: &$0) }),
    ("odd byte order", "badParameter", { put(UInt32(0x0102_0403), at: 8, in: &$0) }),
    ("version 2", "unknownVersion", { put(UInt16(2), at: 12, in: &$0) }),
    ("version 0", "unknownVersion", { put(UInt16(0), at: 12, in: &$0) }),
    ("generation 0", "generationZero", { put(UInt64(0), at: 16, in: &$0) }),
    ("generation 2^63", "badParameter", { put(UInt64(1) << 63, at: 16, in: &$0) }),
    ("file size one more", "truncated", { $0[24] &+= 1 }),
    ("file size 2^64-1", "tableOutOfBounds", { put(UInt64.max, at: 24, in: &$0) }),
    ("file size 2^63-1", "truncated", { put(UInt64(Int.max), at: 24, in: &$0) }),
    ("file size less than the index", "tableOutOfBounds", { put(UInt64(9000), at: 24, in: &$0) }),
    ("index at 0", "tableOutOfBounds", { put(UInt64(0), at: 32, in: &$0) }),
    ("index inside the superblocks", "tableOutOfBounds", { put(UInt64(4096), at: 32, in: &$0) }),
    ("index past the end", "tableOutOfBounds", { put(UInt64(1) << 40, at: 32, in: &$0) }),
    ("index offset 2^64-1", "tableOutOfBounds", { put(UInt64.max, at: 32, in: &$0) }),
    ("index size wraps", "tableOutOfBounds", { put(UInt64(Int.max), at: 40, in: &$0) }),
    ("index size 2^63", "tableOutOfBounds", { put(UInt64(1) << 63, at: 40, in: &$0) }),
    ("index digest wrong", "tableDamaged", { $0[48] ^= 1 }),
    ("metadata at 0", "tableOutOfBounds", { put(UInt64(0), at: 80, in: &$0) }),
    ("metadata size wraps", "tableOutOfBounds", { put(UInt64(Int.max), at: 88, in: &$0) }),
    (
      "metadata before the index", "overlap",
      {
        put(UInt64(8192), at: 80, in: &$0); put(UInt64(64), at: 88, in: &$0)
      }
    ),
    ("metadata digest wrong", "tableDamaged", { $0[96] ^= 1 }),
    ("chunk of 2^63", "badParameter", { $0[128] = 63 }),
    ("chunk of 1", "badParameter", { $0[128] = 0 }),
    ("small alignment of 2^40", "badParameter", { $0[129] = 40 }),
    ("large alignment of 2^60", "badParameter", { $0[130] = 60 }),
    ("arena alignment of 2^60", "badParameter", { $0[131] = 60 }),
    ("guard of 4 GiB", "badParameter", { put(UInt32.max, at: 136, in: &$0) }),
    ("reserved word", "reservedNotZero", { $0[141] = 1 }),
    ("reserved tail", "reservedNotZero", { $0[2000] = 1 }),
    ("required feature", "unknownFeature", { put("zstd-planes", at: 144, in: &$0) }),
    ("second required feature", "unknownFeature", { put("x,overlay", at: 144, in: &$0) }),
    ("feature with a space", "badFeatureText", { put("a b", at: 144, in: &$0) }),
    ("feature with a control character", "badFeatureText", { put("a\u{1B}", at: 144, in: &$0) }),
    ("feature text behind its end", "badFeatureText", { $0[300] = 0x61 }),
  ]

  @Test(arguments: superblockRules.indices) func refusesEachHostileSuperblock(index: Int) throws {
    let (rule, expected, change) = Self.superblockRules[index]
    let bytes = try SmallArchive().folder.bytes(of: "small.bantam")
    let found = error(of: Self.page(change, of: bytes))
    #expect(caseName(found) == expected, "\(rule): \(String(describing: found))")
  }

  @Test func unknownOptionalFeaturesAndMinorVersionsAreRead() throws {
    let bytes = try SmallArchive().folder.bytes(of: "small.bantam")
    let optional: ArchiveError? = error(of: Self.page({ Self.put("statistics-2", at: 656, in: &$0) }, of: bytes))
    #expect(optional == nil)
    let minor: ArchiveError? = error(
      of: Self.page(
        {
          $0[14] = 7; $0[2000] = 1
        }, of: bytes))
    #expect(minor == nil)
  }

  @Test func onlyTheNewerSuperblocksRulesCount() throws {
    let bytes = try SmallArchive().folder.bytes(of: "small.bantam")
    let old = Self.page({ $0[12] = 2 }, of: bytes)  // generation 1 of an unknown version
    let new = Self.page({ $0[16] = 2 }, of: bytes)
    #expect(error(of: Array(old[..<4096]) + Array(new[..<4096]) + bytes[8192...]) == nil)
    #expect(caseName(error(of: Array(new[..<4096]) + Array(old[..<4096]) + bytes[8192...])) == "accepted")
  }

  @Test func aRequiredFeatureIsRefusedByName() throws {
    let bytes = try SmallArchive().folder.bytes(of: "small.bantam")
    let found = try #require(error(of: Self.page({ Self.put("residual-planes", at: 144, in: &$0) }, of: bytes)))
    #expect(found.report.message.contains("residual-planes"))
  }

  @Test func damageOfATransferInTextModeIsNamed() throws {
    var bytes = try SmallArchive().folder.bytes(of: "small.bantam")
    bytes[0] = 0x09  // the high bit lost
    bytes[4096] = 0x09
    #expect(caseName(error(of: bytes)) == "textModeDamage")
  }

  @Test(arguments: [0, 1, 8, 4096, 8191]) func aShortFileIsRefused(count: Int) throws {
    let bytes = try SmallArchive().folder.bytes(of: "small.bantam")
    #expect(["tooShort", "notAnArchive"].contains(caseName(error(of: Array(bytes.prefix(count))))))
  }

  // MARK: The index

  /// Puts another index into the file, all digests right.
  private static func file(index: [UInt8], of bytes: [UInt8], superblock: Superblock) -> [UInt8] {
    var new = superblock
    let metadata = Array(bytes[superblock.metadata.offset..<superblock.metadata.end])
    new.index.byteCount = index.count
    new.index.digest = SHA256.of(index)
    new.metadata.offset = (superblock.index.offset + index.count + 63) / 64 * 64
    new.fileByteCount = new.metadata.offset + metadata.count
    let padding = [UInt8](repeating: 0, count: new.metadata.offset - superblock.index.offset - index.count)
    return new.encoded() + new.encoded() + bytes[8192..<superblock.index.offset] + index + padding + metadata
  }

  private static let indexRules: [(rule: String, expected: String, change: @Sendable (inout ArchiveIndex) -> Void)] = [
    (
      "tensor name twice", "nameTwice",
      { $0.tensors[1].info = TensorInfo(name: "llm.embed", dtype: .bf16, shape: [5, 7])! }
    ),
    ("empty tensor name", "emptyName", { $0.tensors[0].info = TensorInfo(name: "", dtype: .f32, shape: [3, 5])! }),
    (
      "tensor name not UTF-8", "badText",
      { $0.tensors[0].info = TensorInfo(name: TensorName(utf8: [0xFF]), dtype: .f32, shape: [3, 5])! }
    ),
    ("component name twice", "nameTwice", { $0.components[1].name = "llm" }),
    ("empty component name", "emptyName", { $0.components[0].name = "" }),
    ("components leave a gap", "componentsNotInOrder", { $0.components[1].tensorRange = 4..<6 }),
    ("components overlap", "componentsNotInOrder", { $0.components[1].tensorRange = 2..<6 }),
    ("components end early", "componentsNotInOrder", { $0.components[1].tensorRange = 3..<5 }),
    ("component past the tensors", "badReference", { $0.components[1].tensorRange = 3..<7 }),
    ("tensor in the wrong component", "badReference", { $0.tensors[0].component = 1 }),
    ("tensor in no component", "badReference", { $0.tensors[0].component = 9 }),
    ("unknown encoding number", "badReference", { $0.tensors[0].encoding = 9 }),
    ("unknown layout number", "badReference", { $0.tensors[0].planes[0].layout = 9 }),
    ("source file out of range", "badReference", { $0.tensors[0].source!.file = 9 }),
    (
      "source range wraps", "badSourceRange",
      {
        $0.tensors[0].source!.offset = Int.max; $0.tensors[0].source!.byteCount = 1
      }
    ),
    ("arena past the payload", "planeOutOfBounds", { $0.components[0].arenaByteCount = 1 << 50 }),
    ("plane inside the superblocks", "planeOutOfBounds", { $0.tensors[0].planes[0].offset = 64 }),
    ("plane past the payload", "planeOutOfBounds", { $0.tensors[0].planes[0].offset = 1 << 50 }),
    ("plane at 2^63-64", "planeOutOfBounds", { $0.tensors[0].planes[0].offset = Int.max / 64 * 64 }),
    ("plane size 2^63-1", "planeOutOfBounds", { $0.tensors[0].planes[0].byteCount = Int.max }),
    ("plane off its alignment", "planeMisaligned", { $0.tensors[0].planes[0].offset += 4 }),
    ("plane too short", "planeSize", { $0.tensors[0].planes[0].byteCount -= 4 }),
    ("plane too long", "planeSize", { $0.tensors[0].planes[0].byteCount += 4 }),
    ("planes overlap", "overlap", { $0.tensors[1].planes[0].offset = $0.tensors[0].planes[0].offset }),
    ("plane over a carried file", "overlap", { $0.blobs[0].offset = $0.tensors[0].planes[0].offset }),
    ("plane missing", "planeMissing", { $0.tensors[0].planes = [] }),
    ("two planes of values", "planeMissing", { $0.tensors[0].planes.append($0.tensors[0].planes[0]) }),
    ("plane of another kind", "planeMissing", { $0.tensors[0].planes[0].kind = .scales }),
    ("checksum missing", "sumCount", { $0.tensors[0].planes[0].sums = [] }),
    ("checksum too many", "sumCount", { $0.tensors[0].planes[0].sums.append(1) }),
    (
      "shape larger than its plane", "planeSize",
      {
        $0.tensors[0].info = TensorInfo(name: "llm.embed", dtype: .f32, shape: [3, 6])!;
        $0.tensors[2].info = TensorInfo(name: "llm.head", dtype: .f32, shape: [3, 6])!
      }
    ),
    (
      "layout for other elements", "badLayout",
      { $0.tensors[1].info = TensorInfo(name: "llm.tiled", dtype: .u8, shape: [5, 7])! }
    ),
    (
      "segments that do not fill a row", "badLayout",
      {
        $0.layouts[1] = .tiled(
          TileLayout(elementBits: 16, tileRows: 4, tileColumns: 4, turnColumns: 2, segmentColumns: 3)!)
      }
    ),
    (
      "codes without scales", "planeMissing",
      {
        $0.encodings.append(.init(name: GroupEncoding.int8.name, parameters: GroupEncoding.int8.parameters))
        $0.tensors[1].encoding = 1
        $0.tensors[1].info = TensorInfo(name: "llm.tiled", dtype: .f32, shape: [5, 7])!
      }
    ),
    (
      "kernels of more channels than a layout can say", "planeMissing",
      {
        $0.encodings.append(.init(name: GroupEncoding.int8.name, parameters: GroupEncoding.int8.parameters))
        $0.tensors[1].encoding = 1
        $0.tensors[1].info = TensorInfo(name: "llm.tiled", dtype: .f32, shape: [1, 1 << 34, 1, 2])!
        $0.tensors[1].planes.append($0.tensors[1].planes[0])
        $0.tensors[1].planes[0].kind = .codes
        $0.tensors[1].planes[1].kind = .scales
      }
    ),
    (
      "tiles over rows beyond all memory", "badLayout",
      {
        $0.layouts[1] = .tiled(TileLayout(elementBits: 16, tileRows: 4096, tileColumns: 4, turnColumns: 2)!)
        $0.tensors[1].info = TensorInfo(name: "llm.tiled", dtype: .bf16, shape: [1, 1 << 52])!
      }
    ),
    ("alias of itself", "badAlias", { $0.tensors[2].aliasOf = 2 }),
    ("alias of nothing", "badAlias", { $0.tensors[2].aliasOf = 99 }),
    (
      "alias of an alias", "badAlias",
      {
        $0.tensors[0].aliasOf = 2; $0.tensors[0].planes = []
      }
    ),
    ("alias with planes", "badAlias", { $0.tensors[2].planes = $0.tensors[0].planes }),
    (
      "alias of another shape", "badAlias",
      { $0.tensors[2].info = TensorInfo(name: "llm.head", dtype: .f32, shape: [15])! }
    ),
    (
      "alias of another dtype", "badAlias",
      { $0.tensors[2].info = TensorInfo(name: "llm.head", dtype: .i32, shape: [3, 5])! }
    ),
    (
      "tensors that claim more than there can be", "sizeOverflow",
      { index in
        index.encodings.append(.init(name: "unheard-of"))
        for number in [0, 1, 3] {
          index.tensors[number].encoding = 1
          index.tensors[number].info = TensorInfo(
            name: index.tensors[number].info.name, dtype: .u8, shape: [1 << 55])!
        }
      }
    ),
    (
      "source sizes that claim more than there can be", "badSourceRange",
      {
        $0.tensors[0].source!.byteCount = 1 << 56
        $0.tensors[1].source!.byteCount = 1 << 56
      }
    ),
    ("carried file above", "badBlobName", { $0.blobs[0].name = "../config.json" }),
    ("carried file absolute", "badBlobName", { $0.blobs[0].name = "/etc/passwd" }),
    ("carried file with NUL", "badBlobName", { $0.blobs[0].name = "a\u{0}b" }),
    ("carried file without a name", "badBlobName", { $0.blobs[0].name = "" }),
    ("carried file twice", "nameTwice", { $0.blobs[1].name = "config.json" }),
    ("carried file past the payload", "planeOutOfBounds", { $0.blobs[0].offset = 1 << 50 }),
    ("carried file of 2^63-1 bytes", "planeOutOfBounds", { $0.blobs[0].byteCount = Int.max }),
    ("carried file without checksums", "sumCount", { $0.blobs[0].sums = [] }),
  ]

  @Test(arguments: indexRules.indices) func refusesEachHostileIndex(index: Int) throws {
    let (rule, expected, change) = Self.indexRules[index]
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    var changed = archive.index
    change(&changed)
    let bytes = Self.file(
      index: changed.encoded(), of: small.folder.bytes(of: "small.bantam"), superblock: archive.superblock)
    let found = error(of: bytes)
    #expect(caseName(found) == expected, "\(rule): \(String(describing: found))")
  }

  /// What a file states of its bytes is checked, where all checksums hold and the statement is wrong.
  private static let statements: [(rule: String, name: String, change: @Sendable (inout ArchiveIndex) -> Void)] = [
    ("digest of the source", "llm.embed", { $0.tensors[0].source!.digest = SHA256.of([1]) }),
    ("digest of a tiled tensor", "llm.tiled", { $0.tensors[1].source!.digest = SHA256.of([1]) }),
    ("minimum", "llm.embed", { $0.tensors[0].statistics!.minimum -= 1 }),
    ("maximum", "llm.embed", { $0.tensors[0].statistics!.maximum += 1 }),
    ("rms", "llm.embed", { $0.tensors[0].statistics!.rms *= 2 }),
    ("zeros", "llm.tiled", { $0.tensors[1].statistics!.zeroCount += 1 }),
    ("values that are not finite", "vae.scalar", { $0.tensors[3].statistics!.nonfiniteCount += 1 }),
    ("digest of a carried file", "file config.json", { $0.blobs[0].digest = SHA256.of([1]) }),
    ("digest of an empty carried file", "file unet/config.json", { $0.blobs[1].digest = SHA256.of([1]) }),
    ("digest of an empty tensor", "vae.empty", { $0.tensors[4].source!.digest = SHA256.of([1]) }),
  ]

  @Test(arguments: statements.indices, [1, 3]) func whatTheIndexStatesIsVerified(number: Int, threads: Int) throws {
    let (rule, name, change) = Self.statements[number]
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    #expect(try ArchiveVerifier.verify(archive, threadCount: threads).isEmpty)
    var changed = archive.index
    change(&changed)
    small.folder.write(
      Self.file(index: changed.encoded(), of: small.folder.bytes(of: "small.bantam"), superblock: archive.superblock),
      to: "lies")
    let found = try ArchiveVerifier.verify(Archive(path: small.folder["lies"]), threadCount: threads)
    #expect(found.map(\.name) == [name], "\(rule): \(found)")
  }

  // MARK: Texts

  /// A file whose source files' names are aimed at ranges of one long text.
  private func error(textByteCount: Int, aims: [(offset: Int, byteCount: Int)]) throws -> ArchiveError? {
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    var changed = archive.index
    changed.sourceFiles += aims.map { _ in .init(path: "same", byteCount: 1) }
    changed.sourceFiles.append(.init(path: String(repeating: "x", count: textByteCount), byteCount: 1))
    var bytes = changed.encoded()
    let files = try bytes.withUnsafeBytes { try SectionTable($0, path: "") }.entries[Section.files.place]
    let last = files.offset + (files.count - 1) * files.stride
    let text = (0..<4).reduce(0) { $0 | Int(bytes[last + $1]) << (8 * $1) }
    for (number, aim) in aims.enumerated() {
      let record = last - (aims.count - number) * files.stride
      Self.put(UInt32(text + aim.offset), at: record, in: &bytes)
      Self.put(UInt32(aim.byteCount), at: record + 4, in: &bytes)
    }
    // The long text is there, and no name of its own.
    Self.put(UInt32(4), at: last + 4, in: &bytes)
    return self.error(
      of: Self.file(index: bytes, of: small.folder.bytes(of: "small.bantam"), superblock: archive.superblock))
  }

  @Test func overlappingTextsSpendOneBudget() throws {
    let few = (0..<20).map { (offset: $0, byteCount: 1000) }
    #expect(try error(textByteCount: 4096, aims: few) == nil)
    // Five megabytes of records that ask for gigabytes. Equal references are read once, others each.
    let many = (0..<300_000).map { (offset: $0 % 40_000, byteCount: 16_000) }
    #expect(try error(textByteCount: 60_000, aims: many.map { _ in (offset: 7, byteCount: 16_000) }) == nil)
    #expect(caseName(try error(textByteCount: 60_000, aims: many)) == "textsTooLong")
  }

  @Test func textsAreNoLongerThanNames() throws {
    let limit = Limits.nameByteCount
    #expect(try error(textByteCount: limit + 8, aims: [(offset: 0, byteCount: limit)]) == nil)
    #expect(caseName(try error(textByteCount: limit + 8, aims: [(offset: 0, byteCount: limit + 1)])) == "textTooLong")
  }

  /// Two references are equal when both of their numbers are.
  @Test(arguments: [1 << 20, 1 << 21, 1 << 31]) func referencesAreNotMixedUp(step: Int) throws {
    let found = try error(textByteCount: 64, aims: [(offset: 1, byteCount: 8), (offset: 0, byteCount: step | 8)])
    #expect(caseName(found) == "badReference")
    let short = try error(textByteCount: 64, aims: [(offset: 1, byteCount: 8), (offset: step, byteCount: 8)])
    #expect(caseName(short) == "badReference")
  }

  /// Changes to the bytes of the index, by offset from its start or inside a section.
  private static let byteRules:
    [(rule: String, expected: String, change: @Sendable (inout [UInt8], [String: Int]) -> Void)] = [
      ("no mark", "badIndexMagic", { bytes, _ in bytes[0] = 0 }),
      ("entries of another size", "badSectionTable", { bytes, _ in put(UInt32(48), at: 12, in: &bytes) }),
      ("section count of 2^32-1", "badSectionTable", { bytes, _ in put(UInt32.max, at: 8, in: &bytes) }),
      ("section count of 1000", "badSectionTable", { bytes, _ in put(UInt32(1000), at: 8, in: &bytes) }),
      ("section count of 0", "badSectionTable", { bytes, _ in put(UInt32(0), at: 8, in: &bytes) }),
      ("section twice", "sectionTwice", { bytes, _ in put("TEXT", at: 16 + 40, in: &bytes) }),
      ("required section unknown", "unknownSection", { bytes, _ in put("ZZZZ", at: 16, in: &bytes) }),
      (
        "section missing", "sectionMissing",
        { bytes, _ in
          put("ZZZZ", at: 16, in: &bytes)
          put(UInt32(0), at: 16 + 4, in: &bytes)
        }
      ),
      ("section past the index", "sectionOutOfBounds", { bytes, _ in put(UInt64(1) << 40, at: 16 + 8, in: &bytes) }),
      ("section over the table", "sectionOutOfBounds", { bytes, _ in put(UInt64(0), at: 16 + 8, in: &bytes) }),
      ("section count wraps", "sectionOutOfBounds", { bytes, _ in put(UInt64(Int.max), at: 16 + 40 + 16, in: &bytes) }),
      ("section count 2^64-1", "sectionOutOfBounds", { bytes, _ in put(UInt64.max, at: 16 + 16, in: &bytes) }),
      ("stride of 0", "sectionOutOfBounds", { bytes, _ in put(UInt32(0), at: 16 + 24, in: &bytes) }),
      (
        "stride too small", "strideTooSmall",
        { bytes, _ in
          // Twice the records of half the size: the same bytes.
          let entry = 16 + 40
          let count = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: entry + 16, as: UInt64.self) }
          put(count * 2, at: entry + 16, in: &bytes)
          put(UInt32(4), at: entry + 24, in: &bytes)
        }
      ),
      ("reserved word of an entry", "reservedNotZero", { bytes, _ in bytes[16 + 32] = 1 }),
      ("unknown flag of an entry", "reservedNotZero", { bytes, _ in bytes[16 + 4] = 2 }),
      ("bytes behind the last section", "badSectionTable", { bytes, _ in bytes += [UInt8](repeating: 0, count: 8) }),
      ("tensor name outside the text", "badReference", { bytes, at in put(UInt32.max, at: at["TENS"]!, in: &bytes) }),
      ("tensor name too long", "badReference", { bytes, at in put(UInt32.max, at: at["TENS"]! + 4, in: &bytes) }),
      ("role outside the text", "badReference", { bytes, at in put(UInt32.max, at: at["TENS"]! + 8, in: &bytes) }),
      ("dtype 0", "unknownDType", { bytes, at in put(UInt16(0), at: at["TENS"]! + 20, in: &bytes) }),
      ("dtype 999", "unknownDType", { bytes, at in put(UInt16(999), at: at["TENS"]! + 20, in: &bytes) }),
      ("source dtype 999", "unknownDType", { bytes, at in put(UInt16(999), at: at["TENS"]! + 52, in: &bytes) }),
      ("rank 65", "rankTooLarge", { bytes, at in put(UInt16(65), at: at["TENS"]! + 22, in: &bytes) }),
      ("shape outside its table", "badReference", { bytes, at in put(UInt32.max, at: at["TENS"]! + 24, in: &bytes) }),
      ("dimension 2^63", "badReference", { bytes, at in put(UInt64(1) << 63, at: at["DIMS"]!, in: &bytes) }),
      ("dimension 2^62", "sizeOverflow", { bytes, at in put(UInt64(1) << 62, at: at["DIMS"]!, in: &bytes) }),
      (
        "planes outside their table", "badReference",
        { bytes, at in put(UInt32(1000), at: at["TENS"]! + 32, in: &bytes) }
      ),
      ("plane count 2^32-1", "badReference", { bytes, at in put(UInt32.max, at: at["TENS"]! + 36, in: &bytes) }),
      ("unknown tensor flag", "reservedNotZero", { bytes, at in put(UInt32(4), at: at["TENS"]! + 44, in: &bytes) }),
      ("reserved bytes of a tensor", "reservedNotZero", { bytes, at in bytes[at["TENS"]! + 200] = 1 }),
      ("source offset 2^63", "badReference", { bytes, at in put(UInt64(1) << 63, at: at["TENS"]! + 64, in: &bytes) }),
      ("zero count 2^63", "badReference", { bytes, at in put(UInt64(1) << 63, at: at["TENS"]! + 136, in: &bytes) }),
      ("plane offset 2^63", "badReference", { bytes, at in put(UInt64(1) << 63, at: at["PLNE"]! + 8, in: &bytes) }),
      (
        "checksums outside their table", "badReference",
        { bytes, at in put(UInt32(1000), at: at["PLNE"]! + 24, in: &bytes) }
      ),
      ("reserved bytes of a plane", "reservedNotZero", { bytes, at in bytes[at["PLNE"]! + 40] = 1 }),
      ("arena offset 2^63", "badReference", { bytes, at in put(UInt64(1) << 63, at: at["COMP"]! + 16, in: &bytes) }),
      ("encoding name outside the text", "badReference", { bytes, at in put(UInt32.max, at: at["ENCO"]!, in: &bytes) }),
      ("layout of 5 bits", "badLayout", { bytes, at in put(UInt16(5), at: at["LAYT"]! + 32 + 2, in: &bytes) }),
      ("layout of 0 rows", "badLayout", { bytes, at in put(UInt16(0), at: at["LAYT"]! + 32 + 4, in: &bytes) }),
      (
        "layout whose turn divides nothing", "badLayout",
        { bytes, at in put(UInt16(3), at: at["LAYT"]! + 32 + 8, in: &bytes) }
      ),
      (
        "layout of unknown nibble order", "badLayout",
        { bytes, at in put(UInt16(9), at: at["LAYT"]! + 32 + 12, in: &bytes) }
      ),
      (
        "segments without a word of them", "badLayout",
        { bytes, at in put(UInt16(2), at: at["LAYT"]! + 32, in: &bytes) }
      ),
      (
        "layout of unknown column order", "badLayout",
        { bytes, at in
          put(UInt16(2), at: at["LAYT"]! + 32, in: &bytes)
          put(UInt16(9), at: at["LAYT"]! + 32 + 14, in: &bytes)
        }
      ),
      (
        "reserved bytes of a segmented layout", "reservedNotZero",
        { bytes, at in
          put(UInt16(2), at: at["LAYT"]! + 32, in: &bytes)
          put(UInt16(1), at: at["LAYT"]! + 32 + 14, in: &bytes)
          bytes[at["LAYT"]! + 32 + 31] = 1
        }
      ),
      ("source file size 2^63", "badReference", { bytes, at in put(UInt64(1) << 63, at: at["FILE"]! + 8, in: &bytes) }),
      (
        "carried file offset 2^63", "badReference",
        { bytes, at in put(UInt64(1) << 63, at: at["BLOB"]! + 8, in: &bytes) }
      ),
      (
        "planes named twice", "badReference",
        { bytes, at in
          // The second tensor names the plane of the first as well as its own.
          put(UInt32(0), at: at["TENS"]! + 256 + 32, in: &bytes)
          put(UInt32(5), at: at["TENS"]! + 256 + 36, in: &bytes)
        }
      ),
      (
        "checksums named twice", "badReference",
        { bytes, at in
          put(UInt32(0), at: at["PLNE"]! + 24, in: &bytes)
          put(UInt32(6), at: at["PLNE"]! + 28, in: &bytes)
        }
      ),
      ("reserved bytes of a layout", "reservedNotZero", { bytes, at in bytes[at["LAYT"]! + 20] = 1 }),
      ("text that is not UTF-8", "badText", { bytes, at in bytes[at["TEXT"]!] = 0xFF }),
    ]

  @Test(arguments: byteRules.indices) func refusesEachHostileTable(index: Int) throws {
    let (rule, expected, change) = Self.byteRules[index]
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    let bytes = small.folder.bytes(of: "small.bantam")
    var indexBytes = Array(bytes[archive.superblock.index.offset..<archive.superblock.index.end])
    let table = try indexBytes.withUnsafeBytes { try SectionTable($0, path: "") }
    change(&indexBytes, Dictionary(uniqueKeysWithValues: table.entries.map { ($0.name, $0.offset) }))
    let found = error(of: Self.file(index: indexBytes, of: bytes, superblock: archive.superblock))
    #expect(caseName(found) == expected, "\(rule): \(String(describing: found))")
  }

  @Test func unknownOptionalSectionsAndLongerRecordsAreRead() throws {
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    let bytes = small.folder.bytes(of: "small.bantam")
    var index = Array(bytes[archive.superblock.index.offset..<archive.superblock.index.end])
    // One more section behind the last, which no reader of this version knows: 40 bytes of entry, 8 of content.
    let old = try index.withUnsafeBytes { try SectionTable($0, path: "") }
    let count = old.entries.count
    for number in 0..<count {
      Self.put(UInt64(old.entries[number].offset + 40), at: 16 + number * 40 + 8, in: &index)
    }
    Self.put(UInt32(count + 1), at: 8, in: &index)
    let end = (index.count + 40 + 7) / 8 * 8
    var entry = Array("NEWS".utf8) + [UInt8](repeating: 0, count: 36)
    Self.put(UInt64(end), at: 8, in: &entry)
    Self.put(UInt64(1), at: 16, in: &entry)
    Self.put(UInt32(8), at: 24, in: &entry)
    index.insert(contentsOf: entry, at: 16 + count * 40)
    index += [UInt8](repeating: 0, count: end + 8 - index.count)
    #expect(error(of: Self.file(index: index, of: bytes, superblock: archive.superblock)) == nil)
  }

  @Test func anUnknownEncodingSpoilsOnlyItsTensor() throws {
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    var index = archive.index
    index.encodings.append(.init(name: "trellis-9"))
    index.tensors[3].encoding = 1
    let bytes = Self.file(
      index: index.encoded(), of: small.folder.bytes(of: "small.bantam"), superblock: archive.superblock)
    small.folder.write(bytes, to: "new.bantam")
    let new = try Archive(path: small.folder["new.bantam"])
    let buffer = try AlignedBuffer(byteCount: 8)
    #expect(throws: ArchiveError.unknownEncoding(path: new.path, tensor: "vae.scalar", encoding: "trellis-9")) {
      try new.readable(3).read(at: 0, into: buffer.bytes)
    }
    #expect(throws: Never.self) { try new.readable(0).read(at: 0, into: buffer.bytes) }
  }

  @Test func anUnknownLayoutSpoilsOnlyItsTensor() throws {
    let small = try SmallArchive()
    let archive = try Archive(path: small.path)
    var index = archive.index
    index.layouts.append(.unknown(kind: 77))
    index.tensors[3].planes[0].layout = 2
    let bytes = Self.file(
      index: index.encoded(), of: small.folder.bytes(of: "small.bantam"), superblock: archive.superblock)
    small.folder.write(bytes, to: "new.bantam")
    let new = try Archive(path: small.folder["new.bantam"])
    let buffer = try AlignedBuffer(byteCount: 8)
    #expect(throws: ArchiveError.unknownLayout(path: new.path, tensor: "vae.scalar")) {
      try new.readable(3).read(at: 0, into: buffer.bytes)
    }
  }

  // MARK: The metadata table

  private static let metadataRules: [(rule: String, change: @Sendable (inout [UInt8]) -> Void)] = [
    ("no mark", { $0[0] = 0 }),
    ("text longer than the table", { put(UInt64(1) << 40, at: 56, in: &$0) }),
    ("text shorter than the table", { put(UInt64(1), at: 56, in: &$0) }),
    ("table before it past the end", { put(UInt64(1) << 40, at: 8, in: &$0) }),
    (
      "table before it wraps",
      {
        put(UInt64(9000), at: 8, in: &$0); put(UInt64(Int.max), at: 16, in: &$0)
      }
    ),
    ("table before it behind it", { put(UInt64(1) << 20, at: 8, in: &$0) }),
    (
      "table before it in the superblocks",
      {
        put(UInt64(64), at: 8, in: &$0); put(UInt64(64), at: 16, in: &$0)
      }
    ),
    ("not JSON", { $0[64] = 0x78 }),
    (
      "a list",
      {
        $0.replaceSubrange(64..., with: Array("[]".utf8)); put(UInt64(2), at: 56, in: &$0)
      }
    ),
    (
      "a key twice",
      {
        let text = Array(#"{"a":1,"a":2}"#.utf8); $0.replaceSubrange(64..., with: text);
        put(UInt64(text.count), at: 56, in: &$0)
      }
    ),
  ]

  @Test(arguments: metadataRules.indices) func refusesEachHostileMetadataTable(index: Int) throws {
    let (rule, change) = Self.metadataRules[index]
    let small = try SmallArchive()
    var superblock = try Archive(path: small.path).superblock
    let bytes = small.folder.bytes(of: "small.bantam")
    var table = Array(bytes[superblock.metadata.offset...])
    change(&table)
    superblock.metadata.byteCount = table.count
    superblock.metadata.digest = SHA256.of(table)
    superblock.fileByteCount = superblock.metadata.end
    let found = error(
      of: superblock.encoded() + superblock.encoded() + bytes[8192..<superblock.metadata.offset] + table)
    #expect(caseName(found) == "badMetadata", "\(rule): \(String(describing: found))")
  }
}
